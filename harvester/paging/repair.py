"""Closing the gaps that drift tears: windows that reach back from a page which does not join the one before.

Where rows were deleted between the fetches of two neighbours, the later one begins too far on. A window which
begins half a page earlier meets both, unless half a page went at once: then further ones are asked for, in
rounds. Gaps of one stretch are closed at the same time; what can't succeed is not begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harvester.model import Page, Window
from harvester.paging.joins import joined
from harvester.paging.stride import Stride

MOST_ROUNDS = 6
"""Rounds for one gap: what is not closed by then changes faster than it can be read."""
MOST_EXTRA = 20
"""Requests that a pull may spend on repairs, beside `EXTRA_SHARE` of its pages."""
EXTRA_SHARE = 0.5
FEW = 4
"""Neighbours of which it can't be said yet whether most of them stand alone."""


@dataclass(slots=True)
class Gap:
    """What is missing in front of a page, and what was asked for to close it."""

    rounds: int = 0
    unasked: list[Window] = field(default_factory=list)
    asked: list[Window] = field(default_factory=list)
    patches: list[Page] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        return bool(self.unasked or self.asked)

    def next_round(self, page: Page, chain: Iterable[Page], stride: Stride, *, by_id: bool) -> int:
        """Ask for windows that may close the gap; how many."""
        self.rounds += 1
        offsets = self._offsets(page, chain, stride, by_id=by_id)
        windows = {stride.window(offset): None for offset in offsets}
        self.unasked += windows
        return len(windows)

    def _offsets(self, page: Page, chain: Iterable[Page], stride: Stride, *, by_id: bool) -> list[int]:
        start, half, step = page.window.offset, max(1, stride.effective // 2), stride.step
        if self.rounds == 1:
            return [start - half]
        left = _reached(chain, self.patches, by_id=by_id)
        right = _reached([page], self.patches, by_id=by_id)
        if left and right:  # the two sides came closer: between them
            near, far = max(p.window.offset for p in left), min(p.window.offset for p in right)
            return [(near + far) // 2, near + half, far - half]
        if right:
            return [min(p.window.offset for p in right) - step * (self.rounds - 1)]
        if left:
            return [max(p.window.offset for p in left) + step * (self.rounds - 1)]
        offsets = [start - half, start - step]
        if self.rounds > 2:
            offsets += [start - 2 * step, start + stride.effective // 3]
        return offsets


def _reached(ends: Iterable[Page], patches: Sequence[Page], *, by_id: bool) -> list[Page]:
    """The patches that are joined to one of `ends`, or to each other and so to one of them."""
    reached: list[Page] = []
    left, edge = list(patches), list(ends)
    while edge:
        new = [patch for patch in left if any(joined(page, patch, by_id=by_id) for page in edge)]
        left = [patch for patch in left if patch not in new]
        reached += new
        edge = new
    return reached


def path(chain: Iterable[Page], patches: Sequence[Page], page: Page, *, by_id: bool) -> list[Page] | None:
    """The fewest patches that lead from the chain to a page, each joined to the one before."""
    ways = [[patch] for patch in patches if any(joined(link, patch, by_id=by_id) for link in chain)]
    used = [way[0] for way in ways]
    while ways:
        for way in ways:
            if joined(way[-1], page, by_id=by_id):
                return way
        further = []
        for way in ways:
            for patch in patches:
                if patch not in used and joined(way[-1], patch, by_id=by_id):
                    used.append(patch)
                    further.append([*way, patch])
        ways = further
    return None


@dataclass(slots=True)
class Effort:
    """What was spent on repairs so far, and whether more is worth while."""

    gaps: int = 0
    extra: int = 0
    """requests"""
    judged: bool = False
    """It was seen that most pages do join: gaps are worth closing."""
    stopped: bool = False
    """A gap stays open, so nothing can be proved any more."""

    def judge(self, joined: int, neighbours: int) -> None:
        """Where most pages of a stretch stand alone, there is no fixed order: no window would help."""
        if neighbours >= FEW and joined < neighbours / 4:
            self.stopped = True
        self.judged = True

    def affords(self, pages: int) -> bool:
        """Whether another round may be spent on a collection of so many pages."""
        return self.extra < MOST_EXTRA + EXTRA_SHARE * pages

    def too_often(self, joins: int) -> bool:
        """Whether so many neighbours failed to join that windows should share more rows; asked anew then."""
        if self.gaps < 3 or self.gaps <= 0.05 * (joins + self.gaps):
            return False
        self.gaps = 0
        return True
