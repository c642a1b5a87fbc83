"""Do a server's filter and its sort compare ids alike? Pages by id are compared with pages by offset.

A page under `id >= 'a'` must be, row for row, the page at the offset where `a` stands: rows that the filter
lets in from before would stand at its head. And as many rows must follow as follow there: rows that it
wrongly leaves out show in the total under the filter, or, where no total says it, in the page at the far end.
Ids are tried at several places, in the middle of a page, and wherever another collation would disagree most.

A generator: it yields what to ask for (at once), is sent the pages, and returns a `Proof` or says why not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harvester.model import Page, Window
from harvester.paging.collations import COLLATIONS
from harvester.paging.keyset import Operator, Proof, ascends
from harvester.paging.order import ENOUGH_PAIRS

WORTH_RECORDS = 10_000
WORTH_PAGES = 20
"""Collections with less than this many records and pages are read by offset: nothing is deep there."""
PLACES = 4
"""Pages at which the order is looked at, evenly spread, besides the last one."""
TRIES = 2
"""A table that changes under the probe looks like one that can't be trusted: it is looked at again."""

OPERATORS: tuple[Operator, ...] = (">=", ">")


@dataclass(frozen=True, slots=True)
class Ask:
    """A window of the collection, or of what a filter leaves of it."""

    window: Window
    anchor: str | None = None
    operator: Operator = ">="


Probing = Generator[list[Ask], list[Page | None], Proof | str]
"""Is sent None for a page that the server refuses."""


def is_worth(records: int, page_size: int, *, asked_for: bool) -> bool:
    """Whether reading by id is worth a probe. `asked_for`: by the configuration, for smaller ones too."""
    if asked_for:
        return records > 2 * page_size
    return records >= WORTH_RECORDS and records >= WORTH_PAGES * page_size


def probe(records: int, limit: int, date: str) -> Probing:
    """Probe a collection of about so many records. Returns the proof, or why there is none."""
    why = ""
    for _ in range(TRIES):
        seen = yield from _look(records, limit)
        if isinstance(seen, str):
            why = seen
            continue
        for operator in OPERATORS:
            found = yield from _compare(seen, operator)
            if found is None:
                return Proof(operator, seen.collation, date)
            why = why or found
    return why


@dataclass(frozen=True, slots=True)
class _Seen:
    """What lies where, by offset."""

    limit: int
    ids: dict[int, str]
    """Offset -> id"""
    heads: tuple[int, ...]
    """Offsets of the pages looked at; the last is the far end."""
    ends: dict[int, int]
    """Offset of a page -> the offset just behind it"""
    total: int | None
    collation: str

    def agrees(self, page: Page, offset: int) -> bool:
        """Whether a page holds what stands from `offset` on, as far as that is known."""
        known = [self.ids.get(offset + row) for row in range(len(page.ids))]
        if not known or known[0] is None:
            return False
        return all(one is None or one == row_id for one, row_id in zip(known, page.ids, strict=True))


def _look(records: int, limit: int) -> Generator[list[Ask], list[Page | None], _Seen | str]:
    """Pages by offset, at several places and near the end."""
    far = max(0, records - limit)
    offsets = sorted({*(records * place // PLACES for place in range(PLACES)), far})
    pages = yield [Ask(Window(offset, limit)) for offset in offsets]
    ids: dict[int, str] = {}
    totals: set[int | None] = set()
    for offset, page in zip(offsets, pages, strict=True):
        if page is None or len(page.ids) < 2 or page.flaws:
            return "a page without two records that have an id"
        totals.add(page.total)
        for row, row_id in enumerate(page.ids):
            if ids.setdefault(offset + row, row_id) != row_id:
                return "two pages by offset differ where they overlap"
    listed = [ids[offset] for offset in sorted(ids)]
    collation = next((name for name in COLLATIONS if ascends(name, listed)), None)
    if len(listed) <= ENOUGH_PAIRS or collation is None:
        return "the order is not seen to be by id"
    ends = {offset: offset + len(page.ids) for offset, page in zip(offsets, pages, strict=True) if page}
    total = totals.pop() if len(totals) == 1 else None
    return _Seen(limit, ids, tuple(offsets), ends, total, collation)


def _compare(seen: _Seen, operator: Operator) -> Generator[list[Ask], list[Page | None], str | None]:
    """What contradicts that pages by id are pages by offset; None when nothing does."""
    shift = 0 if operator == ">=" else 1
    anchors = [at for at in _anchors(seen) if at + shift in seen.ids]
    pages = yield [Ask(Window(0, seen.limit), seen.ids[at], operator) for at in anchors]
    counted = True
    for at, page in zip(anchors, pages, strict=True):
        if page is None:
            return f"the filter {operator} is refused"
        if not page.ids or page.flaws or not seen.agrees(page, at + shift):
            return f"a page under {operator} is not the page at its offset"
        counted &= seen.total is not None and page.total == seen.total - at - shift
    if counted:
        return None
    far = seen.heads[-1]
    behind = [at for at in anchors if at + shift <= far]
    pages = yield [Ask(Window(far - at - shift, seen.limit), seen.ids[at], operator) for at in behind]
    for page in pages:
        if page is None or not seen.agrees(page, far) or far + len(page.ids) != seen.ends[far]:
            return f"the rows under {operator} are not those that follow"
    return None


def _anchors(seen: _Seen) -> list[int]:
    """Offsets of the ids to try."""
    middle = seen.heads[len(seen.heads) // 2]
    inner = (middle + seen.ends[middle]) // 2
    tried = {*seen.heads, inner, *_disputed(seen)}
    if seen.heads[-1] > 0:
        tried.add(seen.ends[seen.heads[-1]] - 2)
    return sorted(tried)


def _disputed(seen: _Seen) -> Iterator[int]:
    """For each other collation, the id behind which most would be left out if the filter went by that."""
    places = sorted(seen.ids)
    ids = [seen.ids[place] for place in places]
    for name, collation in COLLATIONS.items():
        if name == seen.collation:
            continue
        try:
            keys = collation(ids)
        except ValueError:
            continue
        if len(keys) == len(ids):
            yield from _first_out_of_order(places, keys)


def _first_out_of_order(places: Sequence[int], keys: Sequence[Any]) -> Iterator[int]:
    """The place with the highest key of those behind which a lower one stands."""
    lowest, best = None, None
    for row in reversed(range(len(keys))):
        key = keys[row]
        if lowest is not None and lowest < key and (best is None or keys[best] <= key):
            best = row
        lowest = key if lowest is None or key < lowest else lowest
    if best is not None:
        yield places[best]
