"""From what was seen while paging to what may be claimed of it.

The rules of docs/completeness.md: a chain of joins from the head to a proved tail, in an order seen to be by
id, is `certified`; agreeing counts that did not move, or a small list that came twice alike, are `probable`;
everything else is `uncertified`, and says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import lgamma, log

from harvester.model import Certificate
from harvester.paging.joins import MET, Join
from harvester.paging.order import OrderWitness

ENOUGH_BITS = 24.0
"""Joins of pages in a random order come about by chance once in 2^24 collections, when they bear so much."""


BITS_OF_A_REPAIR = 6
"""A repair tries so many pages that one of 2^6 could join by chance."""


@dataclass(slots=True)
class Evidence:
    """What was seen, counted as pages are taken."""

    pages: int = 0
    """taken, empty ones included"""
    unique: int = 0
    duplicates: int = 0
    exact: int = 0
    drift_by_id: int = 0
    drift_by_version: int = 0
    missing_by_id: int = 0
    missing_by_version: int = 0
    reordered: int = 0
    """Neighbours whose unmodified common rows stand in different orders."""
    shared: Counter[int] = field(default_factory=Counter)
    """Rows that two neighbours share exactly -> how often."""
    repaired_gaps: int = 0
    rounds: int = 0
    """of requests, at most, for one gap"""
    overlap: int = 0
    """rows that neighbouring windows shared at most"""
    longest: int = 0
    """rows of the longest page"""
    undated: bool = False
    """Some row has no date."""
    newest: bytes = b""
    """the latest date of a row"""
    day_stamps: bool = False
    """Some dates name the day alone."""
    max_age: int = 0
    """seconds that an answer had lain in a cache, at most"""
    total_first: int | None = None
    total_last: int | None = None
    total_lowest: int = 0
    total_highest: int = 0
    total_moved: bool = False
    refuted: bool = False
    """The total promises more than the server serves."""
    tail_proved: bool = False
    unpaged: bool = False
    """The server sent the same whole list twice: it does not page."""
    poisoned: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        if what not in self.notes:
            self.notes.append(what)

    def count_total(self, total: int | None) -> None:
        if total is None:
            return
        if self.total_first is None:
            self.total_first = self.total_lowest = self.total_highest = total
        self.total_moved |= total != self.total_first
        self.total_last = total
        self.total_lowest = min(self.total_lowest, total)
        self.total_highest = max(self.total_highest, total)

    def see_dates(self, versions: Sequence[bytes]) -> None:
        if versions:
            shortest = min(map(len, versions))
            self.undated |= shortest == 0
            self.day_stamps |= shortest <= len("2026-11-20")
            self.newest = max(self.newest, *versions)

    def count_join(self, by_id: Join, by_version: Join, shared: int = 0) -> None:
        """`shared`: rows in which the two windows overlap."""
        if by_id == by_version == "exact":
            self.exact += 1
            self.shared[shared] += 1
            return
        self.drift_by_id += by_id in MET
        self.missing_by_id += by_id not in MET
        self.drift_by_version += by_version in MET
        self.missing_by_version += by_version not in MET
        self.reordered += by_version == "reordered"

    @property
    def joins(self) -> int:
        return self.exact + self.drift_by_id

    @property
    def neighbours(self) -> int:
        """Pages that should meet the one before."""
        return self.joins + self.missing_by_id

    @property
    def bits(self) -> float:
        """How unlikely it is that rows in no order had met so exactly, so often: as a power of two."""
        rows = self.unique
        return sum(
            times * (lgamma(rows + 1) - lgamma(rows - min(shared, rows) + 1)) / log(2)
            for shared, times in self.shared.items()
            if shared > 0
        )

    @property
    def counts_agree(self) -> bool:
        return self.total_last == self.unique and not self.total_moved


def certify(evidence: Evidence, order: OrderWitness, *, order_asked: str | None) -> Certificate:
    """The strongest claim that the evidence bears."""
    one_page = evidence.neighbours == 0  # a single response is a snapshot, in any order
    by_id = order.by_id or one_page
    drift = evidence.drift_by_id if by_id else evidence.drift_by_version
    missing = evidence.missing_by_id if by_id else evidence.missing_by_version
    blank = Certificate(
        verdict="uncertified",
        scope="none",
        why="",
        order_asked=order_asked,
        order_seen=order.seen,
        pairs=order.pairs,
        joins_exact=evidence.exact,
        joins_drift=drift,
        joins_missing=missing,
        repaired_gaps=evidence.repaired_gaps,
        rounds=evidence.rounds,
        overlap=evidence.overlap,
        total_first=evidence.total_first,
        total_last=evidence.total_last,
        unique=evidence.unique,
        duplicates=evidence.duplicates,
        pages=evidence.pages,
        poisoned=tuple(sorted(evidence.poisoned)),
        notes=tuple(evidence.notes),
        longest=evidence.longest,
        newest=evidence.newest.decode(errors="replace"),
        day_stamps=evidence.day_stamps,
    )
    doubt = _doubt(evidence, drift=drift, missing=missing)
    assumed = assumptions(evidence, order)
    if doubt is None and by_id:
        why = "one page holds it all" if one_page else "joined from head to tail in an order by id"
        return replace(blank, verdict="certified", scope="all", why=why, assumptions=assumed)
    unmodified = doubt is None and _fixed(evidence, order)
    if doubt is None:
        doubt = "the order is not seen to be by id" if unmodified else "no fixed order is seen"
    if evidence.unpaged:
        return replace(
            blank,
            verdict="probable",
            scope="all",
            why="the whole list came twice alike",
            assumptions=assumed[1:2],
        )
    if not evidence.poisoned and not evidence.refuted and evidence.counts_agree:
        why = f"{doubt}, but the counts agree and did not move"
        scope = "unmodified" if unmodified else "all"
        return replace(blank, verdict="probable", scope=scope, why=why, assumptions=assumed[1:])
    if unmodified:
        return replace(blank, scope="unmodified", why=doubt, assumptions=assumed)
    return replace(blank, why=doubt)


def twice_alike(certificate: Certificate) -> Certificate:
    """The claim of a small collection whose second pull gave exactly the same rows."""
    why = f"{certificate.why}, but a second pull gave the same rows"
    assumed = certificate.assumptions or ("A2: one response is one snapshot",)
    return replace(certificate, verdict="probable", scope="all", why=why, assumptions=assumed)


def assumptions(evidence: Evidence, order: OrderWitness) -> tuple[str, ...]:
    """What the claim rests on, each with what was seen of it."""
    fixed = order.seen or ("the same rows, in the same order, in neighbouring pages")
    return (
        f"A1: the server lists rows in one fixed order: {fixed}",
        "A2: one response is one snapshot",
        f"A3: limit and offset mean what they say: pages of {evidence.longest} rows at most",
        "A4: no rows are hidden after a page was cut",
        f"A5: no response is older than its request: {evidence.max_age} s",
    )


def _fixed(evidence: Evidence, order: OrderWitness) -> bool:
    """Whether the order is seen to be fixed for rows that nobody modifies."""
    return not evidence.undated and (
        order.by_date or evidence.bits - BITS_OF_A_REPAIR * evidence.repaired_gaps >= ENOUGH_BITS
    )


def _doubt(evidence: Evidence, *, drift: int, missing: int) -> str | None:
    """The first thing that stands against a proof; None when nothing does."""
    neighbours = "a page shares" if missing == 1 else f"{missing} pages share"
    doubts = (
        (evidence.poisoned, f"the server can't serve {len(evidence.poisoned)} of the rows"),
        (evidence.refuted, f"the server states {evidence.total_last} records and serves {evidence.unique}"),
        (evidence.unpaged, "the server does not page"),
        (evidence.reordered, "neighbouring pages hold the same rows in another order"),
        (missing, f"{neighbours} no row with what came before"),
        (not evidence.tail_proved, "the end was not seen"),
        (drift > max(3, evidence.exact), "the order is unstable"),
        (
            evidence.max_age > MOST_AGE,
            f"answers had lain in a cache for up to {evidence.max_age} s",
        ),
        (_contradicts(evidence), f"the stated total jumped, while the pages stood still: {_span(evidence)}"),
    )
    return next((why for stands, why in doubts if stands), None)


MOST_AGE = 600
"""Seconds; older answers tell of another day, and no delta reaches back so far."""


def _contradicts(evidence: Evidence) -> bool:
    """Whether the total moved much and the pages did not: some answers are of another time."""
    still = evidence.drift_by_id == 0 and evidence.repaired_gaps == 0 and evidence.neighbours >= FEW
    return still and evidence.total_highest - evidence.total_lowest > max(
        evidence.longest, evidence.unique // 20
    )


def _span(evidence: Evidence) -> str:
    return f"{evidence.total_lowest} to {evidence.total_highest}"


FEW = 4
"""Neighbours that are too few to have shown a change."""
