"""Where a reader puts what it reads: lines of a part, or a list; records with a flaw go to quarantine."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import orjson

from harvester.http.rows import identify, is_tombstone
from harvester.model import Page
from harvester.sinks.part import PartsWriter

_AT_ONCE = 1_000
"""Lines that are identified in one go."""


class Target(Protocol):
    """What a reader writes to."""

    async def write(self, page: Page, rows: Sequence[int]) -> None:
        """Take the rows of a page that nobody gave before, by their numbers."""
        ...

    def note(self, entry: dict[str, Any]) -> None:
        """Tell the journal how far the reading has come, if there is one."""
        ...

    async def ids_written(self) -> list[str]:
        """The ids of everything taken so far."""
        ...


@dataclass(slots=True)
class Lines:
    """A pull's parts, and its quarantine."""

    writer: PartsWriter
    key: tuple[str, ...]

    async def write(self, page: Page, rows: Sequence[int]) -> None:
        if page.flaws:
            for row in rows:
                if row in page.flaws:
                    await self.writer.quarantine(flaw_line(page, row))
            rows = [row for row in rows if row not in page.flaws]
        whole = len(rows) == len(page.records)
        records = page.records if whole else [page.records[row] for row in rows]
        if page.tombstones:
            self.writer.tombstones += sum(row in page.tombstones for row in rows)
        await self.writer.write(records)

    def lane(self, number: int) -> Lines:
        """The parts of one range of ids, of several that are written at once."""
        return Lines(self.writer.lane(number), self.key)

    def note(self, entry: dict[str, Any]) -> None:
        self.writer.note(entry)

    async def ids_written(self, count: int | None = None) -> list[str]:
        """The ids of all records that were written, or of the first `count`."""

        def read() -> list[str]:
            ids: list[str] = []
            lines = islice(self.writer.written(), count)
            while batch := list(islice(lines, _AT_ONCE)):
                ids += identify(batch, self.key)[0]
            return ids

        return await self.writer.guarded(read)

    async def replace(self, newer: Mapping[str, bytes]) -> int:
        """Let records with these ids be what is said here; how many of them were not there before."""
        missing = dict(newer)

        def differs() -> bool:
            found = False
            lines = self.writer.written()
            while batch := list(islice(lines, _AT_ONCE)):
                for row_id, line in zip(identify(batch, self.key)[0], batch, strict=True):
                    found |= missing.pop(row_id, line) != line
            return found

        def change(batch: list[bytes]) -> list[bytes]:
            ids = identify(batch, self.key)[0]
            changed = [newer.get(row_id, line) for row_id, line in zip(ids, batch, strict=True)]
            self.writer.tombstones += sum(map(is_tombstone, changed)) - sum(map(is_tombstone, batch))
            return changed

        differ = await self.writer.guarded(differs)
        if differ:
            await self.writer.rewrite(change)
        self.writer.tombstones += sum(map(is_tombstone, missing.values()))
        await self.writer.write(list(missing.values()))
        return len(missing)


@dataclass(slots=True)
class Listing:
    """A list in memory, for what is small: the parents of child resources, and one parent's children."""

    keep: Callable[[bytes], bool] | None = None
    ids: list[str] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    flawed: list[bytes] = field(default_factory=list)
    """Quarantine lines."""
    skipped: int = 0

    async def write(self, page: Page, rows: Sequence[int]) -> None:
        for row in rows:
            record = bytes(page.records[row])
            if row in page.flaws:
                self.flawed.append(flaw_line(page, row))
            elif self.keep is not None and not self.keep(record):
                self.skipped += 1
            else:
                self.ids.append(page.ids[row])
                self.records.append(record)

    def note(self, entry: dict[str, Any]) -> None:
        """A list in memory is read anew."""

    async def ids_written(self) -> list[str]:
        return list(self.ids)


def flaw_line(page: Page, row: int) -> bytes:
    """A quarantined record: the reason, where it stood, and what it was."""
    raw = bytes(page.records[row])
    entry: dict[str, object] = {"reason": page.flaws[row], "offset": page.window.offset + row}
    try:
        entry["record"] = raw.decode("utf-8")
    except UnicodeDecodeError:
        entry["record_base64"] = base64.b64encode(raw).decode("ascii")
    return orjson.dumps(entry)
