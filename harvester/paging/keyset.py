"""Keyset paging: each page begins at the last id of the one before, in several id ranges at once.

    filter=sourcedId>='last'&sort=sourcedId&orderBy=asc&limit=L&offset=0

A page is cut by id, not by number, so nothing that is inserted or deleted moves it: each page covers all ids
from the one asked for to its own last one, and the next page begins there. So a lane covers its range,
whatever happens meanwhile, and the server never counts its way to a deep offset.

All of this rests on the filter comparing ids as the sort does. That is proved before (`keyset_probe`), and
watched here: whatever contradicts it raises `KeysetBrokenError`, and the pull begins again by offset.

A state machine without I/O, as the pager is. A lane's state is a value that can be journaled and given back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from harvester.model import Certificate, Page
from harvester.paging.collations import COLLATIONS

Operator = Literal[">=", ">"]

ASSUMPTIONS = (
    "A1: the server lists rows in one fixed order",
    "A2: one response is one snapshot",
    "A4: no rows are hidden after a page was cut",
    "A5: no response is older than its request",
)
MOST_LANES = 8
FEW_LANES = 4
LARGE = 100_000
"""Records from which a collection is read in `MOST_LANES` ranges."""
LONGEST_ID = 256
_PLAIN = re.compile(r"[A-Za-z0-9._:@{}-]+")


class KeysetBrokenError(Exception):
    """The server did what the probe had ruled out. `str()` says what; the pull begins again by offset."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe has proved of one collection's server."""

    operator: Operator
    collation: str
    """The order by which it sorts and filters: a key of `COLLATIONS`."""
    date: str
    """`2026-11-21`"""


@dataclass(frozen=True, slots=True)
class Lane:
    """One id range, from behind `start` to `stop` itself, and how far it has been read."""

    number: int
    start: str | None
    """None: from the beginning"""
    stop: str | None
    """None: to the end"""
    last: str | None = None
    """The highest id read."""
    before: str | None = None
    """The last but one: where the filter leaves out the id it names, pages are asked for from there."""
    rows: int = 0
    pages: int = 0
    pairs: int = 0
    again: int = 0
    """Rows that came twice, as pages share one."""
    joined: int = 0
    """Pages that held the row on which the page before ended."""
    parted: int = 0
    """Pages that should have and did not: it was deleted meanwhile."""
    longest: int = 0
    """Rows of the longest page."""
    done: bool = False

    @property
    def known(self) -> str | None:
        """Up to this id, rows are this lane's no more: it has them, or the lane before it."""
        return self.start if self.last is None else self.last


def lanes_between(keys: Sequence[str], collation: str) -> tuple[Lane, ...]:
    """The lanes between split keys, which must ascend. Raises `KeysetBrokenError`."""
    keys = tuple(dict.fromkeys(keys))
    if not ascends(collation, keys):
        raise KeysetBrokenError("the split keys do not ascend")
    edges = (None, *keys, None)
    return tuple(Lane(i, start, stop) for i, (start, stop) in enumerate(pairwise(edges)))


def lanes_for(records: int, operator: Operator = ">=") -> int:
    """How many ranges a collection of this size is read in.

    One where only `>` works: it leaves out every id that it takes to be equal to a split key.
    """
    if operator == ">":
        return 1
    return MOST_LANES if records >= LARGE else FEW_LANES


def condition(field_name: str, operator: str, row_id: str, also: str = "") -> str:
    """A filter for ids from `row_id` on, and for what is filtered by already.

    Raises `KeysetBrokenError` for an id that no filter can name.
    """
    if not row_id or len(row_id) > LONGEST_ID or not row_id.isprintable():
        raise KeysetBrokenError("an id that no filter can name")
    quoted = row_id.replace("'", "''")
    own = f"{field_name}{operator}'{quoted}'"
    return f"{own} AND {also}" if also else own


@dataclass(slots=True)
class Keyset:
    """One collection, from its split keys to its certificate."""

    proof: Proof
    order_asked: str | None
    lanes: list[Lane]
    total_first: int | None = None
    total_last: int | None = None
    trust_total: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return all(lane.done for lane in self.lanes)

    def behind(self, number: int) -> str | None:
        """The id to name in a lane's next request; None: no filter.

        Pages share a row in both dialects: rows that the order can't tell apart would else be lost between.
        """
        lane = self.lanes[number]
        if self.proof.operator == ">=":
            return lane.known
        return lane.start if lane.before is None else lane.before

    def received(self, number: int, page: Page) -> range:
        """Take the page asked for `behind` an id; the numbers of its rows to write.

        Raises `KeysetBrokenError`.
        """
        lane, ids = self.lanes[number], page.ids
        if page.flaws:
            raise KeysetBrokenError("a record without an id")
        if not ascends(self.proof.collation, ids):
            raise KeysetBrokenError("the ids of a page do not ascend")
        self._see_begin(number, ids)
        known, longest = lane.known, max(lane.longest, len(ids))
        first = 0 if known is None else self._up_to(ids, known)
        until = len(ids) if lane.stop is None else max(first, self._up_to(ids, lane.stop))
        joined = first > 0 and ids[first - 1] == known
        expected = lane.last is not None or (lane.start is not None and self.proof.operator == ">=")
        if expected and not joined and self.proof.operator == ">":
            raise KeysetBrokenError("the row shared with the page before did not come")
        if expected and not joined and not _PLAIN.fullmatch(known or ""):
            raise KeysetBrokenError("an id with signs that the filter may misread")
        after = replace(
            lane,
            last=ids[until - 1] if until > first else lane.last,
            before=ids[until - 2] if until > 1 else lane.before,
            rows=lane.rows + until - first,
            pages=lane.pages + 1,
            pairs=lane.pairs + max(0, len(ids) - 1),
            again=lane.again + first,
            joined=lane.joined + (expected and joined),
            parted=lane.parted + (expected and not joined),
            longest=longest,
        )
        at_stop = lane.stop is not None and after.last == lane.stop
        reached = until < len(ids) or (at_stop and self.proof.operator == ">=")
        self.lanes[number] = after
        ended = not ids or (first == len(ids) < self._longest)  # it could have given more
        if ended and not reached and lane.stop is not None and not at_stop:
            raise KeysetBrokenError("a range ended before the next one began")
        if not (reached or ended) and (after.last, after.before) == (lane.last, lane.before):
            raise KeysetBrokenError("the server gives one record a page")
        self.lanes[number] = replace(after, done=reached or ended)
        return range(first, until)

    @property
    def _longest(self) -> int:
        return max(lane.longest for lane in self.lanes)

    def _see_begin(self, number: int, ids: Sequence[str]) -> None:
        """A page must not begin below the id that was named."""
        behind = self.behind(number)
        if behind is None or not ids or (ids[0] == behind and self.proof.operator == ">="):
            return
        if not ascends(self.proof.collation, (behind, ids[0])):
            raise KeysetBrokenError("a page begins below the id that was asked for")

    def _up_to(self, ids: Sequence[str], mark: str) -> int:
        """How many of the ids, which ascend, are not beyond `mark`."""
        try:
            *keys, last = COLLATIONS[self.proof.collation]([*ids, mark])
        except ValueError:
            raise KeysetBrokenError("ids of another kind") from None
        for row, (row_id, key) in enumerate(zip(ids, keys, strict=True)):
            if key == last and row_id != mark:
                raise KeysetBrokenError("two ids that the order can't tell apart")
            if last < key:
                return row
        return len(ids)

    def settle(self, total: int | None) -> None:
        """Compare with the total that was stated at the end. Raises `KeysetBrokenError`."""
        self.total_last = total
        still = total is not None and total == self.total_first
        if self.trust_total and still and total != self.rows:
            raise KeysetBrokenError(f"{self.rows} records came of {total} that are stated")

    @property
    def rows(self) -> int:
        return sum(lane.rows for lane in self.lanes)

    def certificate(self) -> Certificate:
        """What this pull may claim. Call it when `done` and settled."""
        joined, parted = sum(lane.joined for lane in self.lanes), sum(lane.parted for lane in self.lanes)
        strict = self.proof.operator == ">"
        notes = [*self.notes, *(["the filter leaves out the id it names"] if strict else [])]
        return Certificate(
            verdict="certified",
            scope="all",
            why=f"each page began at the id where the one before ended, in {len(self.lanes)} ranges of ids",
            order_asked=self.order_asked,
            order_seen=f"id asc ({self.proof.collation})",
            pairs=sum(lane.pairs for lane in self.lanes),
            joins_exact=joined,
            joins_drift=parted,
            total_first=self.total_first,
            total_last=self.total_last,
            unique=self.rows,
            duplicates=sum(lane.again for lane in self.lanes),
            pages=sum(lane.pages for lane in self.lanes),
            notes=tuple(dict.fromkeys(notes)),
            assumptions=(*ASSUMPTIONS, f"A6: filter and sort compare ids alike (probed {self.proof.date})"),
            strategy="keyset",
        )


def ascends(collation: str, ids: Sequence[str]) -> bool:
    """Whether ids are strictly ascending in a collation of that name."""
    keys = COLLATIONS[collation]
    try:
        found = keys(ids) if ids else []
    except ValueError:  # an id that this collation has no key for
        return False
    return len(found) == len(ids) and all(a < b for a, b in pairwise(found))
