"""Do two pages share rows? A join: the proof that nothing between them was skipped.

Theory and figures: docs/completeness.md. A page is an exact picture, at its own moment, of the interval of
the server's order from its first row to its last. Two pages that share an unmoved row have intervals that
meet, so together they are one interval, whatever was inserted or deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Literal

from harvester.model import Page

Join = Literal["exact", "drift", "none"]


def join(earlier: Page, later: Page, *, by_id: bool) -> Join:
    """How two pages meet, `earlier` having the lower offset.

    `by_id`: an id anchors its row (the order is by id). Otherwise a row anchors only if its version is the
    same in both pages: a row that was modified may have moved.
    """
    overlap = earlier.end - later.window.offset
    if 0 < overlap <= min(len(earlier.ids), len(later.ids)) and _same(earlier, later, overlap, by_id):
        return "exact"
    return _shared(_anchors(earlier, by_id), _anchors(later, by_id))


def _same(earlier: Page, later: Page, overlap: int, by_id: bool) -> bool:
    start = len(earlier.ids) - overlap
    if list(earlier.ids[start:]) != list(later.ids[:overlap]):
        return False
    return by_id or list(earlier.versions[start:]) == list(later.versions[:overlap])


def _anchors(page: Page, by_id: bool) -> Sequence[Hashable]:
    return page.ids if by_id else list(zip(page.ids, page.versions, strict=True))


def _shared(earlier: Sequence[Hashable], later: Sequence[Hashable]) -> Join:
    """Judge the rows that two pages share but not where expected: something moved, or there is no order."""
    place = {row: i for i, row in enumerate(earlier)}
    shared = [(place[row], j) for j, row in enumerate(later) if row in place]
    if not shared:
        return "none"
    places = [i for i, _ in shared]
    if any(b <= a for a, b in pairwise(places)):
        return "none"  # the shared rows stand in another order: there is no fixed one
    first, last = shared[0], shared[-1]
    holes = (last[0] - first[0] + 1 - len(shared)) + (last[1] - first[1] + 1 - len(shared))
    after = len(earlier) - 1 - last[0]  # rows of the earlier page behind the shared stretch
    before = first[1]  # rows of the later page in front of it
    if holes == after == before == 0:
        return "exact"
    # What lies outside the shared stretch must be explained by changes: a few rows, or there is no order.
    few = holes + before + after <= max(2, len(shared) // 2)
    one_sided = len(shared) >= 3 and holes + min(before, after) <= max(1, len(shared) // 4)
    return "drift" if few or one_sided else "none"
