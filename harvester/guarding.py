"""May a pull replace the last snapshot? Numbers in, reasons against it out; nothing else decides.

A provider that serves a short list consistently passes every proof of completeness: only yesterday can tell.
So a guard holds such a pull back until a person has looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a pull is held; `[guards]` in the configuration."""

    enabled: bool = True
    vanished_share: float = 0.05
    """of the last snapshot's records, that may be gone without a tombstone"""
    vanished_count: int = 200
    """records that may be gone whatever their share, while they are no more than half"""
    school_share: float = 0.8
    """of one school's records that may be gone"""
    school_size: int = 10
    """Records from which on a school is looked at by itself."""
    ids_share: float = 0.1
    """of the last snapshot's ids, that must be there still"""
    deleted_share: float = 0.2
    """of the records, that may have become tombstones since the last snapshot"""
    quarantined_share: float = 0.01
    """of the records, that may be in quarantine unless they were before"""
    looked_up: int = 50
    """Of the vanished, so many at most are asked for by id: one that is to be had was left out."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pull beside the last published snapshot of the same collection."""

    run: str
    """that published the snapshot"""
    before: int
    now: int
    added: int = 0
    vanished: int = 0
    """ids that were there, live, and are not there now"""
    tombstones_before: int = 0
    tombstones: int = 0
    quarantined_before: int = 0
    quarantined: int = 0
    schools: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Id of a school -> its records before and now, where there were any before."""
    gone: Sequence[str] = ()
    """Ids of the vanished, or of many of them."""
    known: str = ""
    """The id of a record that is in both."""
    named: bool = True
    """Whether records have ids to compare by; else only their number is known."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a pull should not be published unseen."""

    rule: str
    message: str


FEW = 10
"""Records of which any number may go: a collection so small says nothing."""


def reasons(seen: Comparison, limits: Thresholds) -> Iterator[Reason]:
    """What speaks against publishing; nothing where all is as it was."""
    if not limits.enabled or not seen.before:
        return
    if not seen.now:
        yield Reason("emptied", f"there is nothing now, and were {seen.before:,} records in run {seen.run}")
    else:
        yield from _vanished(seen, limits)
    yield from _schools(seen, limits)
    deleted = seen.tombstones - seen.tombstones_before
    if deleted > max(FEW, limits.deleted_share * seen.before):
        share = f"{deleted / seen.before:.0%}"
        yield Reason("deleted", f"{deleted:,} more records are marked as deleted, {share} of {seen.before:,}")
    allowed = max(FEW, limits.quarantined_share * seen.now, 2 * seen.quarantined_before)
    if seen.quarantined > allowed:
        message = f"{seen.quarantined:,} records are in quarantine, {seen.quarantined_before:,} before"
        yield Reason("quarantined", message)


def _vanished(seen: Comparison, limits: Thresholds) -> Iterator[Reason]:
    gone, share = seen.vanished, seen.vanished / seen.before
    kept = seen.before - gone
    if seen.named and seen.before >= 2 * FEW and kept < limits.ids_share * seen.before:
        yield Reason(
            "ids", f"only {kept:,} of {seen.before:,} ids are there still: has the provider changed its ids?"
        )
    elif gone > max(limits.vanished_count, limits.vanished_share * seen.before) or (
        gone >= FEW and share > max(0.5, limits.vanished_share)
    ):
        yield Reason(
            "vanished", f"{gone:,} of {seen.before:,} records of run {seen.run} are gone ({share:.1%})"
        )


def _schools(seen: Comparison, limits: Thresholds) -> Iterator[Reason]:
    collapsed = [
        (before - now, school, before, now)
        for school, (before, now) in seen.schools.items()
        if before >= limits.school_size and before - now > limits.school_share * before
    ]
    if collapsed and len(collapsed) < len(seen.schools):  # all of them is what the other rules say
        _, school, before, now = max(collapsed)
        more = f", and {len(collapsed) - 1} more schools likewise" if len(collapsed) > 1 else ""
        yield Reason("school", f"school {school} has {now:,} records, and had {before:,}{more}")


def worst_schools(seen: Comparison, most: int = 5) -> list[tuple[str, int, int]]:
    """The schools that lost the most, for a manifest: id, before, now."""
    losses = sorted((now - before, school, before, now) for school, (before, now) in seen.schools.items())
    return [(school, before, now) for loss, school, before, now in losses[:most] if loss < 0]
