"""Writing a pull's parts: frames cut by record, parts cut by size, hashed as they grow, fsynced at the end.

Frames and parts are cut by the stream of records alone, never by time or page, so that a replay of the
same records writes the same bytes. The journal learns of each frame once it is written, so that another
process can go on behind the last one (`recover`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import orjson

from harvester.checked_lines import checked
from harvester.errors import SinkError
from harvester.model import Part
from harvester.offload import Offload
from harvester.sinks.frames import ENCODE, FRAME, SUFFIX, Compression, read_lines
from harvester.sinks.layout import part_name, quarantine_name
from harvester.sinks.open_part import OpenPart
from harvester.sinks.page_journal import Frame, Note, PageJournal
from harvester.sinks.salvage import salvage

T = TypeVar("T")

SYNC_EVERY = 32
"""Frames between two fsyncs of a part that grows: a power cut costs at most these 8 MiB again."""


AT_ONCE = 5_000
"""Records that are rewritten in one go, off the event loop."""
LANE = 1_000
"""Numbers of parts set aside for each id range of a pull that reads several at once."""


class PartsWriter:
    """The parts of one pull, in a staging folder that nobody reads yet."""

    def __init__(
        self,
        folder: Path,
        *,
        compression: Compression,
        part_size: int,
        offload: Offload,
        where: str,
        journal: PageJournal | None = None,
        lane: int = 0,
    ) -> None:
        """`lane`: of several id ranges that are written at once, the one whose parts these are."""
        self._folder = folder
        self._lane = lane
        self._lanes: dict[int, PartsWriter] = {}
        self._compression: Compression = compression
        self._encode = ENCODE[compression]
        self._suffix = SUFFIX[compression]
        self._part_size = part_size
        self._offload = offload
        self._where = where
        self._journal = journal
        self._notes: deque[Note] = deque()
        """Said of records that are not all on disk yet."""
        self._frames = 0
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._open: OpenPart | None = None
        self._closed: list[Part] = []
        self._quarantine: list[bytes] = []
        self._quarantined: OpenPart | None = None
        self.records = 0
        self.tombstones = 0
        """Of the records, those that their provider calls deleted; counted by who writes them."""
        self.quarantined = 0

    def lane(self, number: int) -> PartsWriter:
        """A writer of the same pull for another id range; `finish` puts its parts behind those before."""
        if number == self._lane:
            return self
        if number not in self._lanes:
            self._lanes[number] = PartsWriter(
                self._folder,
                compression=self._compression,
                part_size=self._part_size,
                offload=self._offload,
                where=self._where,
                journal=None if self._journal is None else self._journal.lane(number),
                lane=number,
            )
        return self._lanes[number]

    async def write(self, records: Sequence[bytes]) -> None:
        """Append records, each without a newline. What is not a full frame yet stays in memory."""
        if not records:
            return
        self.records += len(records)
        rest = records
        while rest:
            room, size = self._room - self._pending_bytes, sum(map(len, rest)) + len(rest)
            cut = len(rest)
            if size >= room:  # the frame ends with the record that fills it
                ends = enumerate(accumulate(map(len, rest)), start=1)
                cut, size = next((count, end + count) for count, end in ends if end + count >= room)
            self._pending.extend(rest[:cut])
            self._pending_bytes += size
            rest = rest[cut:]
            if size >= room:
                await self._flush()

    def note(self, entry: dict[str, Any]) -> None:
        """Tell the journal how far the reading has come, once all that was written so far is on disk."""
        if self._journal is not None:
            counts = {"at": self.records, "tombstones": self.tombstones}
            self._notes.append(Note(self.records, orjson.dumps({**entry, **counts})))

    @property
    def total(self) -> int:
        """Records written so far, those of all ranges of ids."""
        return self.records + sum(lane.records for lane in self._lanes.values())

    @property
    def journaled(self) -> bool:
        """Whether another process could go on with what was written so far."""
        return self._frames > 0 and self._journal is not None

    @property
    def _room(self) -> int:
        """Bytes until this frame, or this part, is full."""
        written = self._open.raw_bytes if self._open else 0
        return min(FRAME, self._part_size - written)

    async def _flush(self) -> None:
        records, self._pending = self._pending, []
        size, self._pending_bytes = self._pending_bytes, 0
        await self.guarded(lambda: self._append(records, size))

    @property
    def _number(self) -> int:
        """Of the part that grows, or of the next one."""
        if (self._lane or self._lanes) and len(self._closed) >= LANE:
            raise SinkError(
                f"more than {LANE} parts of one range of ids",
                where=self._where,
                advice="Let parts be larger (`sink.part_size`), or set `keyset = false` for the application.",
            )
        return self._lane * LANE + len(self._closed)

    def _append(self, records: list[bytes], size: int) -> None:
        if self._open is None:
            self._open = OpenPart(self._folder / part_name(self._number, self._suffix))
        data = self._encode(b"\n".join(records) + b"\n")
        self._open.append(data, size, len(records))
        self._frames += 1
        if self._journal is not None:
            frame = Frame(self._number, len(data), size, len(records), crc32(data))
            self._journal.append([frame.line(), *map(checked, self._due())])
            if self._frames % SYNC_EVERY == 0:
                self._open.sync()
                self._journal.sync()
        if self._open.raw_bytes >= self._part_size:
            self._close_part()

    def _due(self) -> Iterator[bytes]:
        """The notes that speak of nothing but what is on disk."""
        on_disk = sum(part.records for part in self._closed) + (self._open.records if self._open else 0)
        while self._notes and self._notes[0].at <= on_disk:
            yield self._notes.popleft().body

    def _close_part(self) -> None:
        if self._open is not None:
            self._closed.append(self._open.close())
            self._open = None

    async def quarantine(self, line: bytes) -> None:
        """Put a record that is not what it should be aside, with its reason. Never stops a pull."""
        self._quarantine.append(line)
        self.quarantined += 1
        if sum(map(len, self._quarantine)) >= FRAME:
            await self.guarded(self._append_quarantine)

    def _append_quarantine(self) -> None:
        if self._quarantined is None:
            self._quarantined = OpenPart(self._folder / quarantine_name(self._suffix))
        lines, self._quarantine = self._quarantine, []
        data = b"\n".join(lines) + b"\n"
        self._quarantined.append(self._encode(data), len(data), len(lines))

    def written(self) -> Iterator[bytes]:
        """All records written so far, read back: blocks, so call it from a thread."""
        names = [part.name for part in self._closed]
        if self._open is not None:
            names.append(self._open.path.name)
        own = chain((line for name in names for line in read_lines(self._folder / name)), self._pending)
        return chain(own, *(lane.written() for _, lane in sorted(self._lanes.items())))

    async def recover(self) -> list[bytes]:
        """Go on with what an earlier process has written here: its notes, as far as their records are whole.

        Empty: there is nothing to go on with. The quarantine begins anew. Raises `StaleError`.
        """
        assert self._journal is not None
        journal = self._journal

        def recover() -> list[bytes]:
            alone = not self._lane and not journal.has_lanes
            numbers = None if alone else range(self._lane * LANE, (self._lane + 1) * LANE)
            saved = salvage(self._folder, journal, self._compression, self._part_size, numbers)
            self._closed, self._open = saved.closed, saved.open
            self._frames = saved.frames
            self._pending, self._notes = saved.pending, deque(saved.pending_notes)
            self._pending_bytes = sum(map(len, self._pending)) + len(self._pending)
            self.records = saved.records
            self.tombstones = orjson.loads(saved.notes[-1])["tombstones"] if saved.notes else 0
            return saved.notes

        return await self.guarded(recover)

    async def rewrite(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Write all records again as `change` has them, some at a time.

        The journal ends here: what is rewritten when the process dies is read from the beginning.
        """
        if self._pending:
            await self._flush()
        aside = await self.guarded(self._set_aside)
        lines = (line for path in aside for line in read_lines(path))
        while batch := await self.guarded(lambda: change(list(islice(lines, AT_ONCE)))):
            await self.write(batch)

        def remove() -> None:
            for path in aside:
                path.unlink()

        await self.guarded(remove)

    def _set_aside(self) -> list[Path]:
        self._close_part()
        if self._journal is not None:
            self._journal.remove()
            self._journal = None
            self._notes.clear()
        aside = []
        for part in self._closed:
            path = self._folder / part.name
            aside.append(path.rename(path.with_name(f"_before-{part.name}")))
        self._closed.clear()
        self.records = 0
        return aside

    async def finish(self) -> tuple[Part, ...]:
        """Make everything durable; the parts as the manifest swears to them."""
        if self._pending:
            await self._flush()
        await self.guarded(self._finish)
        parts = list(self._closed)
        for _, lane in sorted(self._lanes.items()):
            parts += await lane.finish()
            self.records += lane.records
            self.tombstones += lane.tombstones
        return tuple(parts)

    def _finish(self) -> None:
        self._close_part()
        if self._quarantine:
            self._append_quarantine()
        if self._quarantined is not None:
            self._quarantined.close()
            self._quarantined = None

    def abandon(self) -> None:
        """Close what is open. What lies there is removed by its owner, or gone on with by another process."""
        for part in (self._open, self._quarantined, self._journal):
            if part is not None:
                part.abandon()
        for lane in self._lanes.values():
            lane.abandon()

    async def guarded(self, call: Callable[[], T]) -> T:
        """Do something with the files, off the event loop. Raises `SinkError` when the disk fails."""
        try:
            return await self._offload(call)
        except OSError as error:
            raise disk_error(error, self._where) from None


def disk_error(error: OSError, where: str) -> SinkError:
    """A disk's failure in our words. Nothing is written after one: the kernel may have dropped pages."""
    return SinkError(
        f"can't write: {error.strerror or type(error).__name__}",
        where=where,
        advice="Make room or mend the disk, then run again with --resume.",
    )
