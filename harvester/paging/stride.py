"""How far windows lie apart: the rows that a server really gives, less the rows that neighbours share."""

from __future__ import annotations

from harvester.model import Page, Window

OVERLAP = 2
"""Rows that neighbouring windows share: one joins, two check the order as well."""


class Stride:
    def __init__(self, limit: int, overlap: int) -> None:
        self.limit = max(1, limit)
        """rows asked for in one window"""
        self._wished = self._least = overlap
        self.effective = self.limit
        """rows that the server really gives at most"""
        self.widest = self.overlap

    @property
    def overlap(self) -> int:
        """Rows that neighbouring windows share."""
        return min(self._wished, self.limit - 1, self.effective - 1)

    @property
    def step(self) -> int:
        return max(1, self.effective - self.overlap)

    def window(self, offset: int) -> Window:
        return Window(max(0, offset), self.limit)

    def gives(self, rows: int) -> None:
        """The server is seen to give so many rows at most."""
        self.effective = rows

    def widen(self) -> bool:
        """Let windows share more rows: too many neighbours did not join. False where they share enough."""
        wider = 2 * self.overlap + 1
        if wider > self.effective // 4:
            return False
        self._wished = self.widest = wider
        return True

    def is_short(self, page: Page) -> bool:
        """Whether the server could have put more rows into the page, and did not."""
        excess = max(0, self.effective - self.limit)  # of a server that gives more than it is asked for
        return len(page.ids) < min(page.window.limit + excess, self.effective)

    def behind(self, page: Page) -> int:
        """Where the next window starts so that it shares rows with `page`."""
        return self._sharing(page, self.overlap)

    def too_far_from(self, page: Page) -> int:
        """The offset beyond which the next window leaves rows out, as far as the numbers tell."""
        return self._sharing(page, min(self.overlap, self._least))

    def _sharing(self, page: Page, rows: int) -> int:
        return max(page.end - min(rows, len(page.ids) - 1), page.window.offset + 1)
