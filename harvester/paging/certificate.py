"""From what was seen while paging to what may be claimed of it.

The rules of docs/completeness.md: a chain of joins from the head to a proved tail, in an order seen to be by
id, is `certified`; agreeing counts that did not move, or a small list that came twice alike, are `probable`;
everything else is `uncertified`, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harvester.model import Certificate
from harvester.paging.joins import Join

ASSUMPTIONS = (
    "A1: the server lists rows in one fixed order",
    "A2: one response is one snapshot",
    "A3: limit and offset mean what they say",
    "A4: no rows are hidden after a page was cut",
    "A5: no response is older than its request",
)


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
    total_first: int | None = None
    total_last: int | None = None
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
            self.total_first = total
        self.total_moved |= total != self.total_first
        self.total_last = total

    def count_join(self, by_id: Join, by_version: Join) -> None:
        if by_id == by_version == "exact":
            self.exact += 1
            return
        self.drift_by_id += by_id != "none"
        self.missing_by_id += by_id == "none"
        self.drift_by_version += by_version != "none"
        self.missing_by_version += by_version == "none"

    @property
    def counts_agree(self) -> bool:
        return self.total_last == self.unique and not self.total_moved


def certify(
    evidence: Evidence, *, order_asked: str | None, order_seen: str | None, pairs: int
) -> Certificate:
    """The strongest claim that the evidence bears."""
    by_id = order_seen is not None
    drift = evidence.drift_by_id if by_id else evidence.drift_by_version
    missing = evidence.missing_by_id if by_id else evidence.missing_by_version
    blank = Certificate(
        verdict="uncertified",
        scope="none",
        why="",
        order_asked=order_asked,
        order_seen=order_seen,
        pairs=pairs,
        joins_exact=evidence.exact,
        joins_drift=drift,
        joins_missing=missing,
        total_first=evidence.total_first,
        total_last=evidence.total_last,
        unique=evidence.unique,
        duplicates=evidence.duplicates,
        pages=evidence.pages,
        poisoned=tuple(sorted(evidence.poisoned)),
        notes=tuple(evidence.notes),
    )
    doubt = _doubt(evidence, by_id=by_id, drift=drift, missing=missing)
    if doubt is None:
        one_page = evidence.exact + drift == 0
        why = "one page holds it all" if one_page else "joined from head to tail in an order by id"
        return replace(blank, verdict="certified", scope="all", why=why, assumptions=ASSUMPTIONS)
    if evidence.unpaged:
        return replace(
            blank,
            verdict="probable",
            scope="all",
            why="the whole list came twice alike",
            assumptions=ASSUMPTIONS[1:2],
        )
    if not evidence.poisoned and not evidence.refuted and evidence.counts_agree:
        why = f"{doubt}, but the counts agree and did not move"
        return replace(blank, verdict="probable", scope="all", why=why, assumptions=ASSUMPTIONS[1:])
    return replace(blank, why=doubt)


def twice_alike(certificate: Certificate) -> Certificate:
    """The claim of a small collection whose second pull gave exactly the same rows."""
    why = f"{certificate.why}, but a second pull gave the same rows"
    return replace(certificate, verdict="probable", scope="all", why=why, assumptions=ASSUMPTIONS[1:])


def _doubt(evidence: Evidence, *, by_id: bool, drift: int, missing: int) -> str | None:
    """The first thing that stands against a proof; None when nothing does."""
    one_page = evidence.exact + drift + missing == 0  # a single response is a snapshot, in any order
    doubts = (
        (evidence.poisoned, f"the server can't serve {len(evidence.poisoned)} of the rows"),
        (evidence.refuted, f"the server states {evidence.total_last} records and serves {evidence.unique}"),
        (evidence.unpaged, "the server does not page"),
        (missing, f"{missing} pages share no row with their neighbour"),
        (not evidence.tail_proved, "the end was not seen"),
        (not by_id and not one_page, "the order is not seen to be by id"),
        (drift > max(3, evidence.exact), "the order is unstable"),
    )
    return next((why for stands, why in doubts if stands), None)
