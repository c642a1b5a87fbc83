"""What a run will do: the selected pulls, in the order in which the run ends soonest, and their cost.

Longest expected first within each application, sizes being those of the newest snapshots: so no giant
starts last.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harvester.errors import ConfigError, UsageError
from harvester.model import Application, Pull, Tenant
from harvester.paging.stride import OVERLAP
from harvester.providers.dialect import Provider

UNKNOWN_LATENCY = 0.3
"""Seconds to a request assumed where no rate is declared; a guess, and said to be one."""
DEFAULT_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of the configuration a run is about."""

    tenants: tuple[str, ...] = ()
    """glob patterns; empty: all"""
    resources: tuple[str, ...] = ()
    """names; empty: as each tenant's configuration says"""
    shard: tuple[int, int] | None = None
    """(k, n): the k-th of n parts of the tenants, k from 1"""

    def takes(self, tenant: Tenant) -> bool:
        if self.tenants and not any(fnmatchcase(tenant.id, pattern) for pattern in self.tenants):
            return False
        return self.shard is None or zlib.crc32(tenant.id.encode()) % self.shard[1] == self.shard[0] - 1


def parse_shard(text: str) -> tuple[int, int]:
    """`2/4` -> (2, 4). Raises `UsageError`."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    raise UsageError(
        f"--shard {text[:40]!r} is no part of a whole", advice="Write K/N with K from 1 to N, e.g. 2/4."
    )


@dataclass(frozen=True, slots=True)
class Job:
    """Pulls that are done together: one, or all those that come in one document of one tenant."""

    pulls: tuple[Pull, ...]
    expected: int | None
    """records, from the newest snapshots; None when there is none"""


@dataclass(frozen=True, slots=True)
class Plan:
    jobs: Mapping[str, Sequence[Job]]
    """by application"""

    @property
    def pulls(self) -> list[Pull]:
        return [pull for jobs in self.jobs.values() for job in jobs for pull in job.pulls]


Sizes = Callable[[Pull], int | None]


def select(
    tenants: Iterable[Tenant],
    applications: Mapping[str, Application],
    providers: Mapping[str, Provider],
    selection: Selection,
) -> list[Pull]:
    """The pulls that a selection means. Raises `ConfigError` for a resource that a provider has not."""
    pulls: list[Pull] = []
    for tenant in tenants:
        if not selection.takes(tenant):
            continue
        application = applications[tenant.application]
        provider = providers[application.provider]
        names = selection.resources or tenant.resources or provider.defaults
        for name in dict.fromkeys(names):
            if provider.resource(name) is None:
                if selection.resources:
                    continue  # another provider's: --resource is for all tenants
                raise ConfigError(f"{provider.name} has no resource {name!r}", where=f"tenant {tenant.id}")
            pulls.append(Pull(provider.name, application.name, tenant.id, name))
    known = {resource.name for provider in providers.values() for resource in provider.resources}
    for name in selection.resources:
        if name not in known:
            raise UsageError(
                f"no provider has a resource {name!r}", advice=f"There are {', '.join(sorted(known))}."
            )
    return pulls


def plan(pulls: Sequence[Pull], providers: Mapping[str, Provider], sizes: Sizes) -> Plan:
    """Group what comes in one document, and put the longest first. What has no size yet goes before all."""
    grouped: dict[tuple[str, ...], list[Pull]] = {}
    for pull in pulls:
        resource = providers[pull.provider].resource(pull.resource)
        assert resource is not None
        together = resource.path if resource.shape == "pifu" else pull.resource
        grouped.setdefault((pull.application, pull.tenant, together), []).append(pull)
    jobs: dict[str, list[Job]] = {}
    for (application, *_), group in grouped.items():
        known = [size for size in map(sizes, group) if size is not None]
        jobs.setdefault(application, []).append(Job(tuple(group), sum(known) if known else None))
    for queue in jobs.values():
        queue.sort(key=lambda job: _urgency(job, providers), reverse=True)
    return Plan(jobs)


def _urgency(job: Job, providers: Mapping[str, Provider]) -> tuple[float, bool]:
    """The longest first; between equals, those whose records name others, which are completed by them."""
    pull = job.pulls[0]
    resource = providers[pull.provider].resource(pull.resource)
    refers = resource is not None and bool(resource.references)
    return math.inf if job.expected is None else job.expected, refers


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one application's share of a plan will cost."""

    application: str
    provider: str
    pulls: int
    records: int | None
    """None: no snapshot yet"""
    unknown: int
    """Jobs without a snapshot; counted as one page each."""
    pages: int
    requests: int
    """pages and tokens"""
    minutes: float
    guessed: bool
    """Whether the minutes rest on an assumed latency, as no rate is declared."""
    daily_quota: int | None


def estimate(
    plan: Plan, applications: Mapping[str, Application], providers: Mapping[str, Provider]
) -> list[Estimate]:
    """The cost of a plan, application by application."""
    out: list[Estimate] = []
    for name, jobs in plan.jobs.items():
        application = applications[name]
        provider = providers[application.provider]
        limits = application.limits
        size = limits.page_size or provider.limits.page_size or provider.paging.page_size
        pages = sum(_pages(job, size) for job in jobs)
        tokens = len({job.pulls[0].tenant for job in jobs})
        known = [job.expected for job in jobs if job.expected is not None]
        rate = limits.rate or provider.limits.rate
        concurrency = limits.concurrency or provider.limits.concurrency or DEFAULT_CONCURRENCY
        requests = pages + tokens
        seconds = requests / rate if rate else requests * UNKNOWN_LATENCY / concurrency
        out.append(
            Estimate(
                application=name,
                provider=provider.name,
                pulls=sum(len(job.pulls) for job in jobs),
                records=sum(known) if known else None,
                unknown=len(jobs) - len(known),
                pages=pages,
                requests=requests,
                minutes=seconds / 60,
                guessed=rate is None,
                daily_quota=limits.daily_requests or provider.limits.daily_requests,
            )
        )
    return out


def _pages(job: Job, size: int) -> int:
    if job.expected is None or len(job.pulls) > 1 or job.expected <= size:
        return 1
    return 1 + math.ceil((job.expected - size) / max(1, size - OVERLAP))
