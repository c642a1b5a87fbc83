"""Trying a configuration out: each tenant's secret, token, clock, resources and dialect, and the sink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anyio

from harvester.build import open_sink, wire
from harvester.config.load import Config
from harvester.config.secrets import Secrets
from harvester.dialects import Dialects
from harvester.errors import HarvesterError, SinkError
from harvester.events import silent
from harvester.harvest import World
from harvester.http.retry import RetryPolicy
from harvester.model import Pull
from harvester.observe.redact import Redactor
from harvester.plan import Selection, select
from harvester.probe import Dialect, find_dialect, reach_child, reach_document
from harvester.report import code_when_all_failed

AT_ONCE = 16
"""Tenants tried at once."""
SKEW = 60.0
"""Seconds by which clocks may differ; OAuth 1.0a servers refuse timestamps beyond some minutes."""
POLICY = RetryPolicy(attempts=2, throttles=3)
"""A person is waiting: two tries tell enough."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one resource of one tenant, or the sink, was found to be like."""

    tenant: str
    resource: str
    error: HarvesterError | None = None
    dialect: Dialect | None = None
    skew: float | None = None
    """seconds by which the server's clock is ahead of ours"""

    @property
    def advice(self) -> str:
        if self.error is not None:
            return self.error.advice
        if self.skew is not None and abs(self.skew) > SKEW:
            return f"The server's clock is {self.skew:+.0f} s off ours: set this machine's clock by NTP."
        return ""

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        result = "ok" if self.error is None else self.error.what
        total = (
            "" if self.dialect is None else str(self.dialect.total if self.dialect.total is not None else "?")
        )
        return self.tenant, self.resource, result, total, _in_words(self.dialect), self.advice

    def as_json(self) -> dict[str, Any]:
        error = None if self.error is None else {"kind": self.error.kind, "message": str(self.error)}
        dialect = None if self.dialect is None else asdict(self.dialect)
        return {
            "tenant": self.tenant,
            "resource": self.resource,
            "ok": self.error is None,
            "error": error,
            "advice": self.advice,
            "dialect": dialect,
            "clock_skew_seconds": self.skew,
        }


async def check_all(config: Config, selection: Selection, secrets: Secrets) -> list[Finding]:
    """Try the sink and every selected pull. Never raises for what a provider does."""
    world = World()
    findings: dict[str, Finding] = {"": await _check_sink(config, world)}
    pulls = select(config.tenants, config.applications, config.providers, selection)
    redactor = Redactor(secrets.scrub)
    limiter = anyio.CapacityLimiter(AT_ONCE)
    dialects = Dialects(config.state.path / "dialects", world.offload)
    async with wire(
        config,
        observe=silent,
        clock=world.clock,
        rng=world.rng,
        secrets=secrets,
        offload=world.offload,
        policy=POLICY,
    ) as wiring:

        async def check(pull: Pull) -> None:
            async with limiter:
                try:
                    access = await wiring.access(pull)
                    resource = access.resource(pull.resource)
                    dialect, date = None, None
                    if resource.shape == "pifu":
                        date = await reach_document(access, pull)
                    elif resource.parent is not None:
                        date = await reach_child(access, pull)
                    else:
                        dialect = await find_dialect(access, pull, dialects, world.clock.wall())
                        date = dialect.server_date
                    skew = None if date is None else round(date - world.clock.wall(), 1)
                    findings[pull.key] = Finding(pull.tenant, pull.resource, None, dialect, skew)
                except HarvesterError as error:
                    findings[pull.key] = Finding(pull.tenant, pull.resource, redactor.error(error))

        async with anyio.create_task_group() as group:
            for pull in pulls:
                group.start_soon(check, pull)
    return [findings[key] for key in ("", *(pull.key for pull in pulls))]


async def _check_sink(config: Config, world: World) -> Finding:
    try:
        await open_sink(config, world.offload).open()
    except SinkError as error:
        return Finding("-", "sink", error)
    return Finding("-", "sink")


def exit_code_of(findings: Sequence[Finding]) -> int:
    """The code that a run would end with."""
    tried = [finding for finding in findings if finding.resource != "sink"]
    errors = [finding.error for finding in findings if finding.error is not None]
    if not errors:
        return 0
    if any(isinstance(error, SinkError) for error in errors):
        return 7
    return 3 if len(errors) < len(tried) else code_when_all_failed(errors)


def _in_words(dialect: Dialect | None) -> str:
    if dialect is None:
        return ""
    words = [
        "total" if dialect.total is not None else "no total",
        "sorts" if dialect.sort else "no sort",
        *(["links"] if dialect.links else []),
        *([] if dialect.filter is None else ["filters" if dialect.filter else "no filter"]),
        *([] if dialect.keyset is None else ["by id" if dialect.keyset else "not by id"]),
        *([f"at most {dialect.limit_cap} a page"] if dialect.limit_cap else []),
    ]
    return ", ".join(words)
