"""Do two pages share rows? A join: the proof that nothing between them was skipped.

Theory and figures: docs/completeness.md. A page is an exact picture, at its own moment, of the interval of
the server's order from its first row to its last. Two pages that share an unmoved row have intervals that
meet, so together they are one interval, whatever was inserted or deleted meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

from harvester.model import Page

Join = Literal["exact", "drift", "reordered", "none"]
"""`reordered`: they share rows, but not in the same order. That joins nothing: there is no fixed order."""

MET: tuple[Join, ...] = ("exact", "drift")

LINKS = 4
"""Pages at the chain's end that the next one may join."""


def join(earlier: Page, later: Page, *, by_id: bool) -> Join:
    """How two pages meet, `earlier` having the lower offset.

    `by_id`: an id anchors its row (the order is by id). Otherwise a row anchors only if its version is the
    same in both pages: a row that was modified may have moved.
    """
    overlap = earlier.end - later.window.offset
    if 0 < overlap <= min(len(earlier.ids), len(later.ids)) and _same(earlier, later, overlap, by_id):
        return "exact"
    return _shared(_anchors(earlier, by_id), _anchors(later, by_id), by_id=by_id)


def joined(one: Page, other: Page, *, by_id: bool) -> bool:
    """Whether two pages meet, whichever comes first: windows that reach back may have moved across."""
    earlier, later = sorted((one, other), key=lambda page: page.window.offset)
    return any(join(*pair, by_id=by_id) in MET for pair in ((earlier, later), (later, earlier)))


class Chain:
    """The end of the chain of pages that are joined from the head on."""

    def __init__(self) -> None:
        self._links: deque[Page] = deque(maxlen=LINKS)

    def __iter__(self) -> Iterator[Page]:
        """The last link first."""
        return reversed(self._links)

    def append(self, page: Page) -> None:
        self._links.append(Page(page.window, page.ids, page.versions, ()))

    def joins(self, page: Page, *, by_id: bool) -> bool:
        """Whether a page is joined to the chain."""
        return any(joined(link, page, by_id=by_id) for link in self)

    def how(self, page: Page, *, by_id: bool) -> Join:
        """The best join of a page with the chain."""
        last: Join = "none"
        for place, link in enumerate(self):
            found = join(link, page, by_id=by_id)
            if place == 0:
                last = found
            if found == "exact" or (place == 0 and found == "drift"):
                return found
        return "drift" if self.joins(page, by_id=by_id) else last


def _same(earlier: Page, later: Page, overlap: int, by_id: bool) -> bool:
    start = len(earlier.ids) - overlap
    if list(earlier.ids[start:]) != list(later.ids[:overlap]):
        return False
    return by_id or list(earlier.versions[start:]) == list(later.versions[:overlap])


def _anchors(page: Page, by_id: bool) -> Sequence[Hashable]:
    return page.ids if by_id else list(zip(page.ids, page.versions, strict=True))


def _shared(earlier: Sequence[Hashable], later: Sequence[Hashable], *, by_id: bool) -> Join:
    """Judge the rows that two pages share but not where expected: something moved, or there is no order."""
    place = {row: i for i, row in enumerate(earlier)}
    shared = [(place[row], j) for j, row in enumerate(later) if row in place]
    if not shared:
        return "none"
    places = [i for i, _ in shared]
    if any(b <= a for a, b in pairwise(places)):
        return "reordered"
    first, last = shared[0], shared[-1]
    holes = (last[0] - first[0] + 1 - len(shared)) + (last[1] - first[1] + 1 - len(shared))
    after = len(earlier) - 1 - last[0]  # rows of the earlier page behind the shared stretch
    before = first[1]  # rows of the later page in front of it
    if holes == after == before == 0:
        return "exact"
    if by_id:
        return "drift"  # ids do not move: one of them joins, whatever else came or went
    # What lies outside the shared stretch must be explained by changes: a few rows, or there is no order.
    few = holes + before + after <= max(2, len(shared) // 2)
    one_sided = len(shared) >= 3 and holes + min(before, after) <= max(1, len(shared) // 4)
    return "drift" if few or one_sided else "none"
