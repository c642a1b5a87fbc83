"""From a configuration file to what a run works with, or to an error that says which line is wrong."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harvester.config.custom import flaws_of, provider_of
from harvester.config.guards import Guards, guards_of
from harvester.config.place import did_you_mean, spelled
from harvester.config.reading import Path_, Source, read_file, read_text
from harvester.config.schema import PROVIDER, ApplicationTable, File, TenantTable
from harvester.config.secrets import parse_reference
from harvester.config.tenants import read_tenants
from harvester.config.units import parse_duration, parse_size
from harvester.config.urls import flaw_of_url
from harvester.errors import ConfigError
from harvester.model import Application, Limits, SecretRef, Tenant, Verdict
from harvester.pacing.gcra import parse_rate
from harvester.providers.address import lack_of
from harvester.providers.dialect import Provider
from harvester.providers.registry import PROVIDERS

LATER = ("s3", "gs", "az")
"""Schemes of the contract that this version does not write to yet."""
KEYS = ("tenant_id", "app_id", "customer_id", "user_id")
CREDENTIALS = ("client_id", "client_secret", "access_token")
NAMED = 10
"""Tenants that a message names besides the first."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


@dataclass(frozen=True, slots=True)
class SinkConfig:
    url: str
    """a directory, or `-`"""
    compression: Literal["gzip", "zstd", "none"]
    part_size: int
    """bytes, uncompressed"""
    require: Verdict


@dataclass(frozen=True, slots=True)
class StateConfig:
    path: Path
    token_cache: bool
    """whether tokens are kept on disk between runs"""


@dataclass(frozen=True, slots=True)
class RunConfig:
    name: str
    max_duration: float | None
    """seconds"""
    full_every: float = 7 * 86_400
    """Seconds after which an incremental run takes a full pull by itself."""


@dataclass(frozen=True, slots=True)
class Config:
    path: Path
    sink: SinkConfig
    state: StateConfig
    run: RunConfig
    applications: Mapping[str, Application]
    tenants: tuple[Tenant, ...]
    providers: Mapping[str, Provider]
    """those built in and those that the file declares"""
    guards: Guards = field(default_factory=Guards)
    notices: tuple[str, ...] = ()
    """what a person should know that is no mistake"""

    @property
    def name(self) -> str:
        return self.run.name


def load(path: Path) -> Config:
    """Read a configuration. Raises `ConfigError` naming file, line and key."""
    source = read_text(path)
    return _Reader(source, read_file(source)).config()


@dataclass(frozen=True, slots=True)
class _Lack:
    """A tenant that could not be reached, and why."""

    tenant: str
    source: Source
    path: Path_
    what: str
    advice: str


class _Reader:
    """One file on its way to a `Config`."""

    def __init__(self, source: Source, file: File) -> None:
        self._source = source
        self._file = file
        self._literals: list[str] = []
        self._remarks: list[str] = []
        self._lacking: list[_Lack] = []

    def config(self) -> Config:
        file = self._file
        providers = dict(self._providers())
        applications = {
            name: self._application(name, table, providers) for name, table in file.applications.items()
        }
        tenants = tuple(self._tenants(applications, providers))
        self._refuse_lacking()
        return Config(
            path=self._source.path,
            sink=self._sink(),
            state=StateConfig(self._path(("state", "path"), file.state.path), file.state.token_cache),
            run=self._run(),
            applications=applications,
            tenants=tenants,
            providers=providers,
            guards=self._guards(providers),
            notices=self._notices(),
        )

    def _guards(self, providers: Mapping[str, Provider]) -> Guards:
        known = {resource.name for provider in providers.values() for resource in provider.resources}
        for name in self._file.guards.resources:
            if name not in known:
                what = f'no provider has a resource "{name}"'
                self._source.refuse(("guards", "resources", name), what, did_you_mean(name, tuple(known)))
        return guards_of(self._file.guards)

    def _notices(self) -> tuple[str, ...]:
        if not self._literals:
            return tuple(self._remarks)
        others = f" and {len(self._literals) - 1} more" if len(self._literals) > 1 else ""
        return (*self._remarks, f"literal secrets are for demos only: {self._literals[0]}{others}")

    def _providers(self) -> Iterator[tuple[str, Provider]]:
        yield from PROVIDERS.items()
        for name, table in self._file.providers.items():
            path: Path_ = ("providers", name)
            if name in PROVIDERS:
                self._source.refuse(path, f'the provider "{name}" is built in', "Give yours another name.")
            if not re.match(PROVIDER, name):
                self._source.refuse(path, "not a provider's name", "Use a-z, 0-9 and -, as in my-sis.")
            for steps, what in flaws_of(table):
                self._source.refuse((*path, *steps), what, "docs/configuration.md has an example.")
            for key in ("base_url", "token_url"):
                self._url((*path, key), getattr(table, key))
            yield name, provider_of(name, table)

    def _sink(self) -> SinkConfig:
        table = self._file.sink
        match = _SCHEME.match(table.url)
        scheme = match[1].lower() if match else ""
        advice = "Use a directory, file:///path or -."
        if scheme in LATER:
            self._source.refuse(("sink", "url"), f"{scheme}:// is not written to by this version", advice)
        if scheme not in ("", "file"):
            self._source.refuse(("sink", "url"), f'unknown sink "{scheme}:"', advice)
        folder = table.url
        if scheme == "file":
            host, slash, rest = folder[len("file:") :].removeprefix("//").partition("/")
            if host not in ("", "localhost") or not slash or not folder[len("file:") :].startswith("//"):
                self._source.refuse(("sink", "url"), "file:// with something but a path", advice)
            folder = f"/{rest}"
        self._path(("sink", "url"), folder)
        try:
            part_size = parse_size(table.part_size)
        except ValueError as error:
            self._source.refuse(("sink", "part_size"), f'"{table.part_size}" is no size', str(error))
        return SinkConfig(folder, table.compression, part_size, table.require)

    def _path(self, path: Path_, text: str) -> Path:
        """An empty one would mean the working directory itself, whose mode would be changed."""
        if not text.strip() or "\0" in text:
            self._source.refuse(path, "not a path", "Name a folder, as in ./lake.")
        return Path(text)

    def _run(self) -> RunConfig:
        table = self._file.run
        longest = None if table.max_duration is None else self._duration("max_duration", table.max_duration)
        return RunConfig(table.name, longest, self._duration("full_every", table.full_every))

    def _duration(self, key: str, text: str) -> float:
        try:
            return parse_duration(text)
        except ValueError as error:
            self._source.refuse(("run", key), f'"{text}" is no duration', str(error))

    def _application(
        self, name: str, table: ApplicationTable, providers: Mapping[str, Provider]
    ) -> Application:
        path: Path_ = ("applications", name)
        provider = providers.get(table.provider)
        if provider is None:
            self._source.refuse(
                (*path, "provider"),
                f'unknown provider "{table.provider}"',
                did_you_mean(table.provider, providers),
            )
        environment = table.environment or "production"
        if environment not in provider.environments:
            self._source.refuse(
                (*path, "environment"),
                f'{provider.name} has no environment "{environment}"',
                did_you_mean(environment, provider.environments),
            )
        for key in ("base_url", "token_url"):
            self._url((*path, key), getattr(table, key))
        return Application(
            name=name,
            provider=provider.name,
            environment=environment,
            base_url=table.base_url,
            token_url=table.token_url,
            scope=table.scope,
            credentials=self._credentials(self._source, path, table),
            token_auth=table.token_auth,
            tenant_in=table.tenant_in,
            signature=table.signature,
            sort=table.sort,
            filter=table.filter,
            fields=tuple(table.fields),
            trust_env=table.trust_env,
            ca_file=self._beside(table.ca_file),
            limits=self._limits(path, table),
        )

    def _beside(self, name: str | None) -> str | None:
        """An input's path: relative ones start from the configuration's folder."""
        return None if name is None else str(self._source.path.parent / name)

    def _limits(self, path: Path_, table: ApplicationTable) -> Limits:
        limits = table.limits
        try:
            rate = None if limits.rate is None else parse_rate(limits.rate)
        except ValueError as error:
            self._source.refuse((*path, "limits", "rate"), f"{error}")
        return Limits(
            rate=rate,
            concurrency=limits.concurrency,
            daily_requests=limits.daily_requests,
            monthly_requests=limits.monthly_requests,
            page_size=limits.page_size,
        )

    def _credentials(
        self, source: Source, path: Path_, table: ApplicationTable | TenantTable
    ) -> dict[str, SecretRef]:
        found: dict[str, SecretRef] = {}
        for key in CREDENTIALS:
            text = getattr(table, key)
            if text is None:
                continue
            try:
                found[key] = parse_reference(text)
            except ConfigError as error:
                if key != "client_id" or not text or text[0] == "$" or ":" in text.partition("//")[0][:8]:
                    source.refuse((*path, key), error.what, error.advice)
                found[key] = SecretRef("literal", text)  # an identifier, which may stand here
                continue
            if found[key].scheme == "literal" and key != "client_id":
                self._literals.append(spelled((*path, key)) if path else f"{source.path.name}, {key}")
        return found

    def _tenants(
        self, applications: Mapping[str, Application], providers: Mapping[str, Provider]
    ) -> Iterator[Tenant]:
        seen: dict[str, Path_ | str] = {}
        for number, table in enumerate(self._file.tenants):
            path: Path_ = ("tenants", number)
            yield self._tenant(self._source, path, table, applications, providers)
            self._once(table.id, path, seen)
        if self._literals:
            self._refuse_readable_by_others(self._source.path, self._literals[0])
        if self._file.tenants_from is None:
            return
        listed = self._source.path.parent / self._file.tenants_from.path
        before = len(self._literals)
        for place, table in read_tenants(listed):
            here = Source(Path(place), "")
            yield self._tenant(here, (), table, applications, providers)
            self._once(table.id, place, seen)
        if not any(isinstance(place, str) for place in seen.values()):
            self._remarks.append(f"{listed.name} lists no tenant")
        if len(self._literals) > before:
            self._refuse_readable_by_others(listed, self._literals[before])
            self._literals[before:] = [f"{len(self._literals) - before} secrets in {listed.name}"]

    def _once(self, tenant: str, place: Path_ | str, seen: dict[str, Path_ | str]) -> None:
        if tenant in seen:
            first, second = (  # a line is looked for only now: it takes a walk through the file
                where if isinstance(where, str) else self._source.error(where, "").where
                for where in (seen[tenant], place)
            )
            raise ConfigError(
                f'the tenant "{tenant}" is there twice', where=second, advice=f"The first is in {first}."
            )
        seen[tenant] = place

    def _tenant(
        self,
        source: Source,
        path: Path_,
        table: TenantTable,
        applications: Mapping[str, Application],
        providers: Mapping[str, Provider],
    ) -> Tenant:
        application = applications.get(table.application)
        if application is None:
            source.refuse(
                (*path, "application"),
                f'tenant {table.id}: unknown application "{table.application}"',
                did_you_mean(table.application, applications),
            )
        provider = providers[application.provider]
        for name in table.resources:
            if provider.resource(name) is None:
                known = [resource.name for resource in provider.resources]
                what = f'tenant {table.id}: {provider.name} has no resource "{name}"'
                source.refuse((*path, "resources"), what, did_you_mean(name, known))
        keys = {key: value for key in KEYS if (value := getattr(table, key)) is not None}
        for key, value in keys.items():
            if not value or not value.isprintable():  # it becomes a header, or a piece of a path
                source.refuse((*path, key), f"tenant {table.id}: empty, or with a control character")
        self._url((*path, "base_url"), table.base_url, source)
        tenant = Tenant(
            id=table.id,
            application=application.name,
            resources=tuple(table.resources),
            base_url=table.base_url,
            keys=keys,
            credentials=self._credentials(source, path, table),
        )
        missing = next((key for key in provider.tenant_keys if key not in keys), None)
        if missing is not None:
            what, advice = (
                f'{provider.name} needs "{missing}"',
                "Every tenant of this provider has one of its own.",
            )
            self._lacking.append(_Lack(table.id, source, path, what, advice))
        elif lack := lack_of(provider, application, tenant):
            self._lacking.append(_Lack(table.id, source, path, lack.what, lack.advice))
        return tenant

    def _refuse_lacking(self) -> None:
        """All tenants that lack something at once, so that a list of thousands is mended in one go."""
        if not self._lacking:
            return
        first, *others = self._lacking
        what = f"tenant {first.tenant}: {first.what}"
        if others:
            named = ", ".join(f"{lack.tenant} ({lack.what})" for lack in others[:NAMED])
            more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
            what += f"; {len(others)} other tenants lack something too: {named}{more}"
        first.source.refuse(first.path, what, first.advice)

    def _url(self, path: Path_, url: str | None, source: Source | None = None) -> None:
        """https only, http for loopback alone; nothing in it but an address."""
        flaw = None if url is None else flaw_of_url(url)
        if flaw is not None:
            (source or self._source).refuse(path, *flaw)

    def _refuse_readable_by_others(self, path: Path, place: str) -> None:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"{place} is a literal secret, and others can read the file",
                where=str(path),
                advice=f"chmod 600 {path.name}, or refer to the secret by env:, file:, cmd: or keyring:.",
            )
