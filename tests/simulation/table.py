"""A server's table as the paging tests see it: an order, a vice, and changes that come as time passes."""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from harvester.model import Page, Window

_STRANGE = str.maketrans("0123456789abcdef", "q7zr0mkx3bvw9gtf")
"""An alphabet whose order nobody named."""

Row = tuple[int, int, str]
"""A row's place in the order: by date (0 where that does not count), by rank, and its id."""


def _in_both_cases(rank: int) -> str:
    return "".join(c.upper() if (rank * 7 + i) % 3 else c for i, c in enumerate(f"{rank:08x}")) + "x"


def _uniqueidentifier(rank: int) -> str:
    """The GUID that SQL Server sorts at this place."""
    key = (rank << 80 | rank * 2_654_435_761 % (1 << 80)).to_bytes(16, "big")
    return str(UUID(bytes_le=key[12:] + key[10:12] + key[8:10] + key[6:8] + key[:6]))


IDS: dict[str, Callable[[int], str]] = {
    "codepoint": lambda rank: f"{rank:08x}",
    "uuid": lambda rank: str(UUID(int=rank << 96 | 0x4000_8000_0000_0000_0000)),
    "numeric": lambda rank: str(rank + 90),
    "in both cases": _in_both_cases,
    "uniqueidentifier": _uniqueidentifier,
    "signed halves": lambda rank: str(UUID(int=(rank << 96) ^ (1 << 127))),
    "descending": lambda rank: f"{(1 << 32) - 1 - rank:08x}",
    "strange": lambda rank: f"{rank:08x}".translate(_STRANGE),
    "natural": lambda rank: f"user{rank // 7:d}-{'abcdefg'[rank % 7]}",
}
"""How an id is made of its rank, so that some collation sorts by rank."""


@dataclass
class Table:
    """Rows by id with a modification time; `page` cuts a window out of the current order."""

    rng: random.Random
    rows: int
    order: str = "id"  # id | modified | newest | random
    ids_like: str = "codepoint"
    aligned: bool = False
    """The rows were modified in the order of their ids."""
    cap: int | None = None
    total: str = "right"  # right | none | low | high | moving | page
    changes: int = 0
    """At most so many before each request."""
    kinds: Sequence[str] = ("insert", "delete", "update")
    bursts: int = 0
    """Neighbouring rows that may go at one moment."""
    lag: int = 0
    """Changes that a replica, which answers a third of all requests, is behind."""
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
    modified: dict[str, int] = field(default_factory=dict)
    now: int = 10**9
    requests: int = 0

    def __post_init__(self) -> None:
        make = IDS[self.ids_like]
        ids = self.ids or [make(i * 16 + 8) for i in range(self.rows)]
        self.rank = {row_id: i if self.ids else i * 16 + 8 for i, row_id in enumerate(ids)}
        stamps = [self.rng.randrange(10**9 - 100) for _ in ids]
        self.modified = dict(zip(ids, sorted(stamps) if self.aligned else stamps, strict=True))
        self.initial = set(ids)
        self.deleted: set[str] = set()
        self.updated: set[str] = set()
        self.invisible = {row_id for row_id in ids if self.rng.random() < self.hidden}
        self._sorted = sorted(map(self._row, ids))
        self._before = deque([list(self._sorted)], self.lag + 1)

    def _row(self, row_id: str) -> Row:
        when = {"modified": self.modified[row_id], "newest": -self.modified[row_id]}.get(self.order, 0)
        return when, self.rank[row_id], row_id

    def change(self) -> None:
        """One insert, delete (perhaps of many neighbours) or update."""
        kind = self.rng.choice(self.kinds)
        if kind == "insert":
            rank = self.rng.randrange(max(1, self.rows) * 16) | 1
            self.insert(IDS[self.ids_like](rank), rank)
        elif self._sorted:
            place = self.rng.randrange(len(self._sorted))
            if kind == "delete":
                many = self.rng.choice((1, 1, self.bursts)) if self.bursts else 1
                self.delete(*(row_id for *_, row_id in self._sorted[place : place + many]))
            else:
                self.update(self._sorted[place][-1])
        if self.lag:
            self._before.append(list(self._sorted))

    def insert(self, row_id: str, rank: int = 0) -> None:
        self.now += 1
        if row_id not in self.deleted and row_id not in self.modified:
            self.modified[row_id] = self.now
            self.rank[row_id] = rank
            insort(self._sorted, self._row(row_id))

    def update(self, row_id: str) -> None:
        self.now += 1
        del self._sorted[bisect_left(self._sorted, self._row(row_id))]
        self.modified[row_id] = self.now
        insort(self._sorted, self._row(row_id))
        self.updated.add(row_id)

    def delete(self, *row_ids: str) -> None:
        for row_id in row_ids:
            del self._sorted[bisect_left(self._sorted, self._row(row_id))]
            del self.modified[row_id]
            self.deleted.add(row_id)

    @property
    def persistent(self) -> set[str]:
        """Rows that were there throughout, and visible."""
        return self.initial - self.deleted - self.invisible

    def listing(self) -> list[Row]:
        """All rows, in the server's order of this moment, or of a replica's."""
        if self.order == "random":
            return self.rng.sample(self._sorted, len(self._sorted))
        if self.lag and self.rng.random() < 1 / 3:
            return self._before[0]
        return self._sorted

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

    def _cut(self, window: Window, listing: list[Row], offset: int, limit: int) -> Page:
        shown = range(offset, min(offset + limit, len(listing)))
        rows = [(i, listing[i]) for i in shown if listing[i][-1] not in self.invisible]
        flaws = {row: "no sourcedId" for row, (i, _) in enumerate(rows) if i in self.flawed}
        ids, versions = [], []
        for row, (_, (when, _, row_id)) in enumerate(rows):
            ids.append(f"\0{window.offset + row}" if row in flaws else row_id)
            versions.append(b"" if row in flaws else self._version(when, row_id))
        total = len(ids) if self.total == "page" else self._total(len(listing))
        return Page(window, ids, versions, [b"{}"] * len(ids), total, flaws=flaws)

    def _version(self, when: int, row_id: str) -> bytes:
        """The date as the answer has it: where a replica orders by it, the one that it knows."""
        return b"%010d" % (abs(when) if when else self.modified.get(row_id, 0))

    def _total(self, rows: int) -> int | None:
        return {
            "right": rows,
            "none": None,
            "low": rows // 2,
            "high": rows * 2 + 50,
            "moving": rows + self.requests % 3 - 1,
        }[self.total]
