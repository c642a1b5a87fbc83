"""A server's table as the paging tests see it: an order, a vice, and changes that come as time passes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harvester.model import Page, Window


@dataclass
class Table:
    """Rows by id with a modification time; `page` cuts a window out of the current order."""

    rng: random.Random
    rows: int
    order: str = "id"  # id | modified | newest | random
    cap: int | None = None
    total: str = "right"  # right | none | low | high | moving
    changes: int = 0
    ignores_offset: bool = False
    ignores_limit: bool = False
    hidden: float = 0.0
    repeats_last: bool = False
    starts_over: bool = False
    longer: int = 0
    """Rows that every page has beyond what was asked for."""
    shorter: Mapping[int, int] = field(default_factory=dict)
    """Offset -> the most rows that a page from there has."""
    poison: frozenset[int] = frozenset()
    flawed: frozenset[int] = frozenset()
    """Rows, by their place in the order, without an id."""
    ids: Sequence[str] = ()
    """Instead of made-up ones, in the server's order."""
    events: Mapping[int, Callable[[Table], None]] = field(default_factory=dict)
    """Number of a request, from 1 -> what happens to the table just before it is answered."""
    modified: dict[str, float] = field(default_factory=dict)
    now: float = 0.0
    requests: int = 0

    def __post_init__(self) -> None:
        ids = self.ids or [f"{i * 16 + 8:08x}" for i in range(self.rows)]
        self.rank = {row_id: i for i, row_id in enumerate(self.ids)}
        self.modified = {row_id: -self.rng.random() * 1e6 - 10 for row_id in ids}
        self.initial = set(ids)
        self.deleted: set[str] = set()
        self.invisible = {row_id for row_id in ids if self.rng.random() < self.hidden}

    def change(self) -> None:
        """One insert, delete or update."""
        self.now += 1.0
        kind = self.rng.choice(["insert", "delete", "update"])
        if kind == "insert":
            self.insert(f"{self.rng.randrange(max(1, self.rows) * 16) | 1:08x}")
        elif self.modified:
            row_id = self.rng.choice(sorted(self.modified))
            if kind == "delete":
                self.delete(row_id)
            else:
                self.modified[row_id] = self.now

    def insert(self, row_id: str) -> None:
        if row_id not in self.deleted:
            self.modified.setdefault(row_id, self.now)

    def delete(self, *row_ids: str) -> None:
        for row_id in row_ids:
            del self.modified[row_id]
            self.deleted.add(row_id)

    @property
    def persistent(self) -> set[str]:
        """Rows that were there throughout, and visible."""
        return self.initial - self.deleted - self.invisible

    def listing(self) -> list[str]:
        """All ids, in the server's order of this moment."""
        ids = sorted(self.modified, key=lambda i: (self.rank.get(i, 0), i))
        if self.order == "random":
            self.rng.shuffle(ids)
        elif self.order == "modified":
            ids.sort(key=lambda i: (self.modified[i], i))
        elif self.order == "newest":
            ids.sort(key=lambda i: (-self.modified[i], i))
        return ids

    def page(self, window: Window) -> Page | None:
        """The answer to a window; None for a 500."""
        self.requests += 1
        if self.requests in self.events:
            self.events[self.requests](self)
        for _ in range(self.changes):
            if self.rng.random() < 0.3:
                self.change()
        listing = self.listing()
        limit = min(window.limit, self.cap or window.limit) + self.longer
        limit = len(listing) if self.ignores_limit else min(limit, self.shorter.get(window.offset, limit))
        offset = self._offset(window, len(listing), max(1, limit))
        if self.poison & set(range(offset, min(offset + limit, len(listing)))):
            return None
        return self._cut(window, listing, offset, limit)

    def _offset(self, window: Window, rows: int, limit: int) -> int:
        if self.ignores_offset:
            return 0
        if self.starts_over and rows:
            return window.offset % rows
        if self.repeats_last and window.offset >= rows:
            return max(0, (rows - 1) // limit * limit)
        return window.offset

    def _cut(self, window: Window, listing: list[str], offset: int, limit: int) -> Page:
        shown = range(offset, min(offset + limit, len(listing)))
        rows = [(i, listing[i]) for i in shown if listing[i] not in self.invisible]
        flaws = {row: "no sourcedId" for row, (i, _) in enumerate(rows) if i in self.flawed}
        ids = [f"\0{window.offset + row}" if row in flaws else row_id for row, (_, row_id) in enumerate(rows)]
        versions = [
            b"" if row in flaws else repr(self.modified[i]).encode() for row, (_, i) in enumerate(rows)
        ]
        return Page(window, ids, versions, [b"{}"] * len(ids), self._total(len(listing)), flaws=flaws)

    def _total(self, rows: int) -> int | None:
        return {
            "right": rows,
            "none": None,
            "low": rows // 2,
            "high": rows * 2 + 50,
            "moving": rows + self.requests % 3 - 1,
        }[self.total]
