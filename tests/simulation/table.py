"""A server's table as the paging tests see it: an order, a vice, and changes that come as time passes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from harvester.model import Page, Window


@dataclass
class Table:
    """Rows by id with a modification time; `page` cuts a window out of the current order."""

    rng: random.Random
    rows: int
    order: str = "id"  # id | modified | newest | random
    cap: int | None = None
    total: str = "right"  # right | none | text
    changes: int = 0
    ignores_offset: bool = False
    hidden: float = 0.0
    repeats_last: bool = False
    poison: frozenset[int] = frozenset()
    modified: dict[str, float] = field(default_factory=dict)
    now: float = 0.0

    def __post_init__(self) -> None:
        ids = [f"{i * 16 + 8:08x}" for i in range(self.rows)]
        self.modified = {row_id: -self.rng.random() * 1e6 - 10 for row_id in ids}
        self.initial = set(ids)
        self.deleted: set[str] = set()
        self.invisible = {row_id for row_id in ids if self.rng.random() < self.hidden}

    def change(self) -> None:
        """One insert, delete or update."""
        self.now += 1.0
        kind = self.rng.choice(["insert", "delete", "update"])
        if kind == "insert":
            row_id = f"{self.rng.randrange(max(1, self.rows) * 16) | 1:08x}"
            if row_id not in self.deleted:
                self.modified.setdefault(row_id, self.now)
        elif self.modified:
            row_id = self.rng.choice(sorted(self.modified))
            if kind == "delete":
                del self.modified[row_id]
                self.deleted.add(row_id)
            else:
                self.modified[row_id] = self.now

    @property
    def persistent(self) -> set[str]:
        """Rows that were there throughout, and visible."""
        return self.initial - self.deleted - self.invisible

    def _listing(self) -> list[str]:
        ids = sorted(self.modified)
        if self.order == "random":
            self.rng.shuffle(ids)
        elif self.order == "modified":
            ids.sort(key=lambda i: (self.modified[i], i))
        elif self.order == "newest":
            ids.sort(key=lambda i: (-self.modified[i], i))
        return ids

    def page(self, window: Window) -> Page | None:
        """The answer to a window; None for a 500."""
        for _ in range(self.changes):
            if self.rng.random() < 0.3:
                self.change()
        limit = min(window.limit, self.cap or window.limit)
        offset = 0 if self.ignores_offset else window.offset
        listing = self._listing()
        if self.poison & set(range(offset, min(offset + limit, len(listing)))):
            return None
        if self.repeats_last and offset >= len(listing):
            offset = max(0, (len(listing) - 1) // limit * limit)
        ids = [i for i in listing[offset : offset + limit] if i not in self.invisible]
        total = len(listing) if self.total == "right" else None
        versions = [repr(self.modified[i]).encode() for i in ids]
        return Page(window, ids, versions, [b"{}"] * len(ids), total)
