"""What an earlier process of the same run had read of a collection: its pages, rebuilt.

A note is journaled with each page: what can't be seen in the records that were written of it. The records
themselves lie in the staged parts. Together they make the page again, so that a pull goes on as if nothing
had happened: the same proof, the same duplicates found, and not one of these pages fetched twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any

import orjson

from harvester.collection import Collection
from harvester.http.fetch import Tally
from harvester.http.rows import identify
from harvester.lines import Lines, flaw_line
from harvester.model import Page, Window
from harvester.sinks.page_journal import StaleError
from harvester.spelling import Spelling

AT_ONCE = 5_000
"""Rows that are rebuilt in one go, off the event loop."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A page that an earlier process took, the rows that it wrote of it, and the note."""

    page: Page
    rows: list[int]
    note: dict[str, Any]


def opening_note(collection: Collection, kind: str) -> dict[str, Any]:
    """How the collection is read: the first note of a journal."""
    return {
        "begin": kind,
        "spelling": asdict(collection.spelling),
        "notes": collection.notes,
        "links": collection.links,
    }


def page_note(page: Page, rows: Sequence[int], tally: Tally, **more: Any) -> dict[str, Any]:
    """A page that was taken, less what can be seen in the records that were written of it."""
    new = set(rows) if len(rows) < len(page.ids) else None
    again = [] if new is None else sorted(set(range(len(page.ids))) - new)
    return {
        "window": (page.window.offset, page.window.limit),
        "rows": len(page.ids),
        "total": page.total,
        "link": page.next_link,
        "again": [(i, page.ids[i], page.versions[i].decode(), i in page.flaws) for i in again],
        "flaws": [
            (i, page.ids[i], page.flaws[i], flaw_line(page, i).decode())
            for i in sorted(page.flaws)
            if new is None or i in new
        ],
        "tally": tally_note(tally),
        **more,
    }


@dataclass(frozen=True, slots=True)
class History:
    """What is there to go on with."""

    lines: Lines
    notes: Sequence[bytes]
    """JSON; the first is `opening_note`'s"""

    @property
    def kind(self) -> str:
        """The way of reading that it is a history of."""
        return str(orjson.loads(self.notes[0]).get("begin"))

    def restore(self, collection: Collection) -> None:
        """Let the collection be asked as it was, and count on from where it was."""
        begin = orjson.loads(self.notes[0])
        collection.go_on(Spelling(**begin["spelling"]), begin["notes"], links=begin["links"])
        restore_tally(collection.tally, orjson.loads(self.notes[-1]))

    async def pages(self) -> AsyncIterator[Taken]:
        """The pages, in the order in which they were taken. Raises `StaleError` where records are missing."""
        written = self.lines.writer.written()
        notes = iter(self.notes[1:])
        while batch := await self._off_loop(partial(self._batch, notes, written)):
            for taken in batch:
                for line in taken.note["flaws"]:
                    await self.lines.writer.quarantine(line[3].encode())
                yield taken

    def _batch(self, notes: Iterator[bytes], written: Iterator[bytes]) -> list[Taken]:
        batch: list[Taken] = []
        size = 0
        for body in notes:
            note = orjson.loads(body)
            count = note["rows"] - len(note["again"]) - len(note["flaws"])
            records = list(islice(written, count))
            if len(records) < count:
                raise StaleError("it tells of more records than are there")
            batch.append(_taken(note, *identify(records, self.lines.key)))
            size += note["rows"]
            if size >= AT_ONCE:
                break
        return batch

    async def ids_before(self, taken: Taken) -> list[str]:
        """The ids of all records that had been written when a page was taken."""
        count = taken.note["at"] - sum(row not in taken.page.flaws for row in taken.rows)
        return await self.lines.ids_written(count)

    async def _off_loop(self, work: Callable[[], list[Taken]]) -> list[Taken]:
        return await self.lines.writer.guarded(work)


def _taken(note: dict[str, Any], ids: list[str], versions: list[bytes]) -> Taken:
    offset, limit = note["window"]
    rows = list(range(note["rows"]))
    flaws: dict[int, str] = {}
    if note["again"] or note["flaws"]:
        repeated = {row: (row_id, version.encode()) for row, row_id, version, _ in note["again"]}
        flaws = {row: why for row, _, why, _ in note["flaws"]} | {
            row: "again" for row, _, _, flawed in note["again"] if flawed
        }
        others = repeated | {row: (row_id, b"") for row, row_id, _, _ in note["flaws"]}
        sound = iter(zip(ids, versions, strict=True))
        merged = [others[row] if row in others else next(sound) for row in rows]
        ids, versions = [row_id for row_id, _ in merged], [version for _, version in merged]
        rows = [row for row in rows if row not in repeated]
    page = Page(Window(offset, limit), ids, versions, (), note["total"], note["link"], flaws)
    return Taken(page, rows, note)


_COUNTS = attrgetter(*(one.name for one in fields(Tally)))


def tally_note(tally: Tally) -> tuple[float | None, ...]:
    """The counts so far; `astuple` would copy each, and take as long as the rest of the note."""
    counts: tuple[float | None, ...] = _COUNTS(tally)
    return counts


def restore_tally(tally: Tally, note: dict[str, Any]) -> None:
    """Count on from where a note was made."""
    before = Tally(*note["tally"]) if "tally" in note else Tally()
    tally.requests += before.requests
    tally.retries += before.retries
    tally.throttled += before.throttled
    tally.received += before.received
    tally.max_age = max(tally.max_age, before.max_age)
    if before.first_date is not None:
        tally.first_date = min(before.first_date, tally.first_date or before.first_date)
