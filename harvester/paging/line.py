"""The line of windows that are out: asked for ahead, answered in any order, taken in offset order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from harvester.model import Page, Window


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

    def outstanding(self) -> list[tuple[int, int, bool]]:
        """The windows in the line, whether asked for or not: offset, limit, whether it confirms."""
        return [(slot.window.offset, slot.window.limit, slot.confirms) for slot in self._slots]

    def replay(self, page: Page, *, confirms: bool) -> None:
        """Let the line be nothing but a page that was taken before; no gap in front of it is closed again."""
        self.clear()
        self._slots.append(Slot(page.window, confirms, asked=True, page=page, gap_from=page.end))

    def ask(self, room: int) -> list[Window]:
        """Up to `room` windows that nobody asked for yet."""
        chosen = [slot for slot in self._slots if not slot.asked][: max(0, room)]
        for slot in chosen:
            slot.asked = True
        self._flying += len(chosen)
        return [slot.window for slot in chosen]

    def received(self, page: Page) -> None:
        """Put a page into its slot. A page that nobody waits for any more is dropped."""
        slot = self._waiting_for(page.window)
        if slot is not None:
            slot.page = page
            self._flying -= 1

    def failed(self, window: Window, overlap: int) -> None:
        """Halve a window that can't be served; a single row is poisoned."""
        slot = self._waiting_for(window)
        if slot is None:
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
        self._slots.popleft()

    def clear(self) -> None:
        self._slots.clear()
        self._flying = 0

    def _waiting_for(self, window: Window) -> Slot | None:
        return next((s for s in self._slots if s.asked and not s.settled and s.window == window), None)
