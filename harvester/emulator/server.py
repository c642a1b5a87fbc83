"""The emulator as a server on loopback, and everything a client has to know to use it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from harvester.emulator.api import Api
from harvester.emulator.csv_bundle import CsvBundle
from harvester.emulator.faults import Faults
from harvester.emulator.identity import Client, Identity
from harvester.emulator.records import Records
from harvester.emulator.school import Source
from harvester.emulator.skole import document
from harvester.emulator.tenancy import PROVIDERS, EmulatedTenant

GRAND_BEND = Path(__file__).with_name("data") / "grandbend"
"""The Ed-Fi Alliance's sample district, as its OneRoster 1.2 service returned it."""

ALL = ("orgs", "academicSessions", "courses", "classes", "users", "enrollments", "demographics")
SHARED = ("flyt-oneroster", "flyt-skole", "automatic-rostering")
"""Providers at which one client serves all tenants."""


class Emulator:
    """`async with Emulator(...) as emulator:` serves on `emulator.url` until the block ends.

    `tenants` of each provider (a number, or their names by provider) get a synthetic roster of `rows` users;
    a CSV bundle and a folder of records become one tenant more at each OneRoster provider. Raises
    `ValueError` for what can't be served.
    """

    def __init__(
        self,
        *,
        tenants: int | Mapping[str, Sequence[str]] = 2,
        rows: int = 100,
        seed: int = 1,
        faults: str | Faults = "",
        csv: Path | None = None,
        records: Path | None = None,
        port: int = 0,
        providers: tuple[str, ...] = tuple(PROVIDERS),
    ) -> None:
        self.faults = Faults.parse(faults) if isinstance(faults, str) else faults
        self._port = port
        self._runner: web.AppRunner | None = None
        self.url = ""
        given: dict[str, Source] = {}
        if csv is not None:
            given[_slug(csv)] = CsvBundle(csv)
        if records is not None:
            given[_slug(records)] = Records(records)
        for source in given.values():
            _ = source.names  # read now, so that what is wrong is said now
        self._tenants: dict[tuple[str, str], EmulatedTenant] = {}
        for provider in providers:
            if isinstance(tenants, int):
                names = [f"{provider}-{number}" for number in range(1, tenants + 1)]
            else:
                names = list(tenants.get(provider, ()))
            for name in names:
                self._tenants[provider, name] = EmulatedTenant(provider, name, seed, rows)
            for name, source in given.items() if provider != "automatic-rostering" else ():
                # Ids are unique over a configuration; the plain name goes to the generic 1.2 provider.
                own = name if provider == "oneroster-v1p2" else f"{name}.{provider}"
                self._tenants[provider, own] = EmulatedTenant(provider, own, seed, rows, source)
        self._seed = seed
        self.api = self._api()

    def _api(self) -> Api:
        static = EmulatedTenant("classlink-proxy", "", self._seed, 0).secret("access_token").rstrip("+/%:= ~")
        api = Api(self._tenants, Identity(self.faults), self.faults, self._seed, static)
        for provider, name in self._tenants:
            own = provider if provider in SHARED else f"{provider}-{name}"
            api.identity.add(Client(own, self._secret(provider, name)))
        return api

    def _secret(self, provider: str, name: str) -> str:
        return EmulatedTenant(provider, "" if provider in SHARED else name, self._seed, 0).secret(
            "client_secret"
        )

    def make_app(self) -> web.Application:
        """The whole server without a socket, for a test's own loop."""
        return self.api.application()

    # ── serving ─────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.make_app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    # ── what it holds ───────────────────────────────────────────────────────────────────────────────────

    @property
    def tenants(self) -> list[tuple[str, str]]:
        """(provider, tenant id) of everybody."""
        return list(self._tenants)

    def records(self, provider: str, tenant: str, collection: str) -> list[bytes]:
        """The records of a collection, byte for byte as they are served, in that order."""
        emulated = self._tenants[provider, tenant]
        if provider == "automatic-rostering":
            return list(emulated.jobs.records.values())
        return [row.text for row in emulated.collection(collection)]

    @property
    def requests(self) -> Mapping[str, int]:
        """API requests by `provider/tenant/collection`; `all` of them; `tokens` given out."""
        return {**self.api.requests, "tokens": self.api.identity.issued}

    def tenant(self, provider: str, tenant: str) -> EmulatedTenant:
        """One tenant's tables, for tests."""
        return self._tenants[provider, tenant]

    def document(self, tenant: str) -> bytes:
        """The PIFU document of a tenant of flyt-skole."""
        return b"".join(document(self._tenants["flyt-skole", tenant].school))

    # ── what a client needs ─────────────────────────────────────────────────────────────────────────────

    def config_text(self, *, sink: str = "./lake", state: str = "./state", require: str = "probable") -> str:
        """A configuration of the harvester for everybody here. Its secrets are literal, and worth nothing."""
        parts = [
            "# Written by the emulator. The secrets are literal because they are worth nothing.\n",
            f'[run]\nname = "emulated"\n\n[sink]\nurl = "{sink}"\nrequire = "{require}"\n',
            f'[state]\npath = "{state}"\n',
        ]
        parts += map(self._application, dict.fromkeys(provider for provider, _ in self._tenants))
        parts += [self._tenant_text(provider, name) for provider, name in self._tenants]
        return "\n".join(parts)

    def _application(self, provider: str) -> str:
        lines = [f"[applications.{provider}]", f'provider = "{provider}"']
        if provider == "classlink-proxy":
            lines += [f'base_url = "{self.url}"', f'access_token = "literal:{self.api.static_token}"']
        elif provider != "classlink-direct":
            lines += [f'token_url = "{self.url}/connect/token"']
        if provider in SHARED:
            lines += [f'base_url = "{self.url}"', f'client_id = "{provider}"']
            lines += [f'client_secret = "literal:{self._secret(provider, "")}"']
        return "\n".join(lines) + "\n"

    def _tenant_text(self, provider: str, name: str) -> str:
        lines = ["[[tenants]]", f'id = "{name}"', f'application = "{provider}"']
        match provider:
            case "flyt-oneroster" | "flyt-skole":
                lines.append(f'tenant_id = "{self._tenants[provider, name].guid}"')
            case "automatic-rostering":
                lines += [f'customer_id = "c-{name}"', f'user_id = "u-{name}"']
            case "classlink-proxy":
                lines.append(f'app_id = "{name}"')
            case "classlink-direct":
                lines.append(f'base_url = "{self.url}/direct/{name}/ims/oneroster/v1p1"')
            case "oneroster-v1p1":
                lines.append(f'base_url = "{self.url}/t/{name}/ims/oneroster/v1p1"')
            case _:
                lines.append(f'base_url = "{self.url}/t/{name}/ims/oneroster/rostering/v1p2"')
        if provider in ("classlink-direct", "oneroster-v1p1", "oneroster-v1p2"):
            lines.append(f'client_id = "{provider}-{name}"')
            lines.append(f'client_secret = "literal:{self._secret(provider, name)}"')
        return "\n".join(lines) + "\n"


def _slug(folder: Path) -> str:
    """A tenant id from a folder's name."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder")
    return re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-._") or "records"
