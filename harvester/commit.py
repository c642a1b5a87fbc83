"""The end of a pull: its manifest, and the one step that publishes it or holds it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from harvester import __version__
from harvester.errors import HarvesterError
from harvester.guarding import Reason
from harvester.http.fetch import Tally
from harvester.model import Certificate, Part, Pull, Verdict, weaker_than
from harvester.sinks.sink import Json, Sink, Staged

SCHEMA_VERSION = 1
"""Of the manifests; a change that a reader must know of raises it."""

CLOCK_MARGIN = timedelta(minutes=10)
"""Rows are stamped when their transaction begins and seen when it commits; clocks differ as well."""

State = Literal["committed", "held", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one pull."""

    pull: Pull
    state: State
    manifest: Json | None = None
    """of a pull that was committed or held"""
    error: HarvesterError | None = None
    place: str = ""
    """where its parts lie"""


@dataclass(frozen=True, slots=True)
class Account:
    """Everything about a finished pull that its manifest tells."""

    staged: Staged
    pull: Pull
    """as it was done: an incremental one may have become full"""
    query: str
    started: float
    finished: float
    """seconds since the epoch, by our clock"""
    tally: Tally
    certificate: Certificate
    parts: tuple[Part, ...]
    extra: dict[str, Any]
    """What a shape of resource has to add, e.g. jobs that were still running."""


async def commit(sink: Sink, account: Account, require: Verdict, against: Sequence[Reason] = ()) -> Outcome:
    """Publish a pull in one step; hold it if its certificate claims less than `require`, or guards object.

    `against`: the guards' reasons.
    """
    pull = account.pull
    verdict = account.certificate.verdict
    objections = [reason.message for reason in against]
    if weaker_than(verdict, require):
        objections.insert(0, f"{verdict} is weaker than the required {require}: {account.certificate.why}")
    if objections:
        guard = "; ".join(objections)
        manifest = manifest_of(account, guard)
        await sink.hold(account.staged, manifest)
        return Outcome(pull, "held", manifest)
    manifest = manifest_of(account, None)
    await sink.publish(account.staged, manifest)
    return Outcome(pull, "committed", manifest, place=sink.place(pull, account.staged.run))


def manifest_of(account: Account, guard: str | None) -> dict[str, Any]:
    """The pull's manifest; docs/what-lands.md explains each key."""
    pull, certificate, tally = account.pull, account.certificate, account.tally
    return {
        "schema_version": SCHEMA_VERSION,
        "run": account.staged.run.id,
        "provider": pull.provider,
        "application": pull.application,
        "tenant": pull.tenant,
        "resource": pull.resource,
        "mode": pull.mode,
        "since": pull.since,
        "until": pull.until,
        "query": account.query,
        "started": timestamp(account.started),
        "finished": timestamp(account.finished),
        "pages": certificate.pages,
        "requests": tally.requests,
        "retries": tally.retries,
        "records": sum(part.records for part in account.parts),
        "bytes": sum(part.raw_bytes for part in account.parts),
        "certificate": certificate_of(certificate),
        "high_water_mark": _high_water_mark(tally),
        "parts": [asdict(part) for part in account.parts],
        "duplicates_removed": certificate.duplicates,
        "tombstones": account.staged.writer.tombstones,
        "quarantined": account.staged.writer.quarantined,
        "guard": guard,
        "software_version": __version__,
        **account.extra,
    }


def certificate_of(certificate: Certificate) -> dict[str, Any]:
    """The certificate as it lies in a manifest."""
    return {
        "verdict": certificate.verdict,
        "scope": certificate.scope,
        "strategy": certificate.strategy,
        "why": certificate.why,
        "order": {
            "asked": certificate.order_asked,
            "seen": certificate.order_seen,
            "pairs": certificate.pairs,
            "k": certificate.overlap,
        },
        "joins": {
            "exact": certificate.joins_exact,
            "drift": certificate.joins_drift,
            "missing": certificate.joins_missing,
            "repaired_gaps": certificate.repaired_gaps,
            "rounds": certificate.rounds,
        },
        "total": {"first": certificate.total_first, "last": certificate.total_last},
        "delta": None
        if (delta := certificate.delta) is None
        else {"from": delta.since, "rows": delta.rows, "rounds": delta.rounds},
        "unique": certificate.unique,
        "poisoned_offsets": list(certificate.poisoned),
        "notes": list(certificate.notes),
        "assumptions": list(certificate.assumptions),
    }


def _high_water_mark(tally: Tally) -> str | None:
    """From when the next incremental pull must ask: the server's own clock at the start, less a margin."""
    if tally.first_date is None:
        return None
    return timestamp(tally.first_date - CLOCK_MARGIN.total_seconds())


def timestamp(seconds: float) -> str:
    """ISO 8601 in UTC, to the millisecond: `2026-11-20T02:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
