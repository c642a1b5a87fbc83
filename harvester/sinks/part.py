"""Writing a pull's parts: frames cut by record, parts cut by size, hashed as they grow, fsynced at the end.

Frames and parts are cut by the stream of records alone, never by time or page, so that a replay of the
same records writes the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from harvester.errors import SinkError
from harvester.model import Part
from harvester.offload import Offload
from harvester.sinks.frames import ENCODE, FRAME, SUFFIX, Compression, read_lines
from harvester.sinks.layout import part_name, quarantine_name

T = TypeVar("T")

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _OpenPart:
    """One part while it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = 0
        self.raw_bytes = 0
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        self._fd = os.open(path, _CREATE, 0o600)

    def append(self, frame: bytes, raw_bytes: int, records: int) -> None:
        view = memoryview(frame)
        while view:
            view = view[os.write(self._fd, view) :]
        self._sha256.update(frame)
        self._bytes += len(frame)
        self.raw_bytes += raw_bytes
        self.records += records

    def close(self) -> Part:
        os.fsync(self._fd)
        self.abandon()
        return Part(self.path.name, self.records, self._bytes, self._sha256.hexdigest(), self.raw_bytes)

    def abandon(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class PartsWriter:
    """The parts of one pull, in a staging folder that nobody reads yet."""

    def __init__(
        self, folder: Path, *, compression: Compression, part_size: int, offload: Offload, where: str
    ) -> None:
        self._folder = folder
        self._encode = ENCODE[compression]
        self._suffix = SUFFIX[compression]
        self._part_size = part_size
        self._offload = offload
        self._where = where
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._open: _OpenPart | None = None
        self._closed: list[Part] = []
        self._quarantine: list[bytes] = []
        self._quarantined: _OpenPart | None = None
        self.records = 0
        self.quarantined = 0

    async def write(self, records: Sequence[bytes]) -> None:
        """Append records, each without a newline. What is not a full frame yet stays in memory."""
        if not records:
            return
        self.records += len(records)
        size = sum(map(len, records)) + len(records)
        if self._pending_bytes + size < self._room:
            self._pending.extend(records)
            self._pending_bytes += size
            return
        for record in records:
            self._pending.append(record)
            self._pending_bytes += len(record) + 1
            if self._pending_bytes >= self._room:
                await self._flush()

    @property
    def _room(self) -> int:
        """Bytes until this frame, or this part, is full."""
        written = self._open.raw_bytes if self._open else 0
        return min(FRAME, self._part_size - written)

    async def _flush(self) -> None:
        records, self._pending = self._pending, []
        size, self._pending_bytes = self._pending_bytes, 0
        await self._guarded(lambda: self._append(records, size))

    def _append(self, records: list[bytes], size: int) -> None:
        if self._open is None:
            self._open = _OpenPart(self._folder / part_name(len(self._closed), self._suffix))
        frame = self._encode(b"\n".join(records) + b"\n")
        self._open.append(frame, size, len(records))
        if self._open.raw_bytes >= self._part_size:
            self._close_part()

    def _close_part(self) -> None:
        if self._open is not None:
            self._closed.append(self._open.close())
            self._open = None

    async def quarantine(self, line: bytes) -> None:
        """Put a record that is not what it should be aside, with its reason. Never stops a pull."""
        self._quarantine.append(line)
        self.quarantined += 1
        if sum(map(len, self._quarantine)) >= FRAME:
            await self._guarded(self._append_quarantine)

    def _append_quarantine(self) -> None:
        if self._quarantined is None:
            self._quarantined = _OpenPart(self._folder / quarantine_name(self._suffix))
        lines, self._quarantine = self._quarantine, []
        data = b"\n".join(lines) + b"\n"
        self._quarantined.append(self._encode(data), len(data), len(lines))

    async def written(self) -> Iterator[bytes]:
        """All records written so far, read back: what is asked for when the server's order breaks."""
        if self._pending:
            await self._flush()
        names = [part.name for part in self._closed]
        if self._open is not None:
            names.append(self._open.path.name)
        return (line for name in names for line in read_lines(self._folder / name))

    async def finish(self) -> tuple[Part, ...]:
        """Make everything durable; the parts as the manifest swears to them."""
        if self._pending:
            await self._flush()
        await self._guarded(self._finish)
        return tuple(self._closed)

    def _finish(self) -> None:
        self._close_part()
        if self._quarantine:
            self._append_quarantine()
        if self._quarantined is not None:
            self._quarantined.close()
            self._quarantined = None

    def abandon(self) -> None:
        """Close what is open; the staging folder is removed by its owner."""
        for part in (self._open, self._quarantined):
            if part is not None:
                part.abandon()

    async def _guarded(self, call: Callable[[], T]) -> T:
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
