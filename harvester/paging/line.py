"""The line of windows that are out: asked for ahead, answered in any order, taken in offset order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from harvester.model import Page, Window
from harvester.paging.repair import Gap


@dataclass(slots=True)
class Slot:
    """One window's place in the line."""

    window: Window
    confirms: bool = False
    """Asked only to see whether a short page was the last."""
    asked: bool = False
    page: Page | None = None
    poisoned: bool = False
    """One row that the server can't serve."""
    gap_from: int = -1
    """Where the last window began that was asked for to close the gap in front of this one."""
    witnessed: bool = False
    """Its order was looked at."""
    patch: bool = False
    """Asked for to close a gap."""
    mended: bool = False
    """The gap in front of it is closed, or will not be."""
    gap: Gap = field(default_factory=Gap)

    @property
    def settled(self) -> bool:
        return self.page is not None or self.poisoned


class Line:
    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self._flying = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def flying(self) -> int:
        """Windows asked for and not answered yet."""
        return self._flying

    @property
    def confirming(self) -> bool:
        return any(slot.confirms for slot in self._slots)

    @property
    def end(self) -> int:
        """The offset behind the last window; 0 for an empty line."""
        return self._slots[-1].window.offset + self._slots[-1].window.limit if self._slots else 0

    def append(self, window: Window, *, confirms: bool = False) -> None:
        self._slots.append(Slot(window, confirms=confirms))

    def put_first(self, window: Window) -> None:
        self._slots.appendleft(Slot(window))

    def patch(self, pages: Sequence[Page]) -> None:
        """Put pages that close the gap in front of the first slot there."""
        self._slots[0].mended = True
        for page in reversed(pages):
            self._slots.appendleft(Slot(page.window, asked=True, page=page, patch=True, mended=True))

    def outstanding(self) -> list[tuple[int, int, bool]]:
        """The windows in the line, whether asked for or not: offset, limit, whether it confirms."""
        slots = [slot for slot in self._slots if not slot.patch]
        return [(slot.window.offset, slot.window.limit, slot.confirms) for slot in slots]

    def replay(self, page: Page, *, confirms: bool, patch: bool) -> None:
        """Let the line be nothing but a page that was taken before; no gap in front of it is closed again."""
        self.clear()
        slot = Slot(page.window, confirms, asked=True, page=page, gap_from=page.end, patch=patch, mended=True)
        self._slots.append(slot)

    def ask(self, room: int) -> list[Window]:
        """Up to `room` windows that nobody asked for yet; first those that close a gap."""
        chosen: list[Window] = []
        for slot in self._slots:
            take = slot.gap.unasked[: max(0, room - len(chosen))]
            del slot.gap.unasked[: len(take)]
            slot.gap.asked += take
            chosen += take
        for slot in self._slots:
            if not slot.asked and len(chosen) < room:
                slot.asked = True
                chosen.append(slot.window)
        self._flying += len(chosen)
        return chosen

    @property
    def settled(self) -> bool:
        """Whether every window in the line has its answer."""
        return all(slot.settled for slot in self._slots)

    def neighbours(self) -> Iterator[tuple[Page, Slot]]:
        """Pages with rows that lie side by side, the second with its slot."""
        for one, other in pairwise(self._slots):
            if one.page is not None and other.page is not None and one.page.ids and other.page.ids:
                yield one.page, other

    def received(self, page: Page) -> None:
        """Put a page into its slot. A page that nobody waits for any more is dropped."""
        slot = self._waiting_for(page.window)
        if slot is not None:
            slot.page = page
            self._flying -= 1
        elif (gap := self._gap_with(page.window)) is not None:
            gap.asked.remove(page.window)
            self._flying -= 1
            if page.ids:
                gap.patches.append(page)

    def failed(self, window: Window, overlap: int) -> None:
        """Halve a window that can't be served; a single row is poisoned."""
        slot = self._waiting_for(window)
        if slot is None:
            gap = self._gap_with(window)
            if gap is not None:
                gap.asked.remove(window)
                self._flying -= 1
            return
        self._flying -= 1
        if window.limit == 1:
            slot.poisoned = True
            return
        half = window.limit // 2
        shared = overlap if half > overlap else 0
        place = self._slots.index(slot)
        del self._slots[place]
        self._slots.insert(place, Slot(Window(window.offset + half, window.limit - half)))
        self._slots.insert(place, Slot(Window(window.offset, half + shared)))

    def head(self) -> Slot | None:
        """The first slot, if its answer has come."""
        return self._slots[0] if self._slots and self._slots[0].settled else None

    def drop_unasked(self) -> None:
        """Take back the windows that nobody asked for yet: the plan has changed."""
        self._slots = deque(slot for slot in self._slots if slot.asked)

    def pop(self) -> None:
        self._flying -= len(self._slots.popleft().gap.asked)  # their answers are dropped

    def clear(self) -> None:
        self._slots.clear()
        self._flying = 0

    def _gap_with(self, window: Window) -> Gap | None:
        return next((slot.gap for slot in self._slots if window in slot.gap.asked), None)

    def _waiting_for(self, window: Window) -> Slot | None:
        return next((s for s in self._slots if s.asked and not s.settled and s.window == window), None)
