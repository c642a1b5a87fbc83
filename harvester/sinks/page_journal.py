"""The crash-safe record of one pull, page by page: what its staged parts hold, how far its reading had come.

Checked lines, appended in the order in which things reached the disk: `begin` says what is pulled; `frame` is
a piece of a part, with its checksum; everything else is a note of the reader's, written after the frames that
hold the records it speaks of. So a journal is a prefix of the truth, whatever killed its writer. Frames are
checked when they are read back: nothing rests on the order in which the disk took the bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from harvester.checked_lines import bodies_of, checked, line_of
from harvester.sinks.durable import make_folders, put

SCHEMA_VERSION = 1


class StaleError(Exception):
    """The journal speaks of something else than what is pulled now. `str()` says what differs."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of a part, as it lies: cut by the stream of records alone."""

    part: int
    size: int
    """bytes, as it lies"""
    raw_bytes: int
    records: int
    crc: int

    def line(self) -> bytes:
        return line_of({"frame": asdict(self)})


@dataclass(frozen=True, slots=True)
class Note:
    """What the reader said when `at` records were written."""

    at: int
    body: bytes
    """JSON, with `at` in it"""


class PageJournal:
    """One pull's journal. The file is made with the first frame: a pull that fits in memory has none."""

    def __init__(self, path: Path, about: dict[str, Any], began: float = 0.0) -> None:
        """`about`: what the pull's bytes depend on; another `about` can't go on with them.

        `began`: when the pull did, in seconds since the epoch; what is read back says when it first did.
        """
        self.path = path
        self.began = began
        self._about = {"schema_version": SCHEMA_VERSION, **about}
        self._fd = -1

    def lane(self, number: int) -> PageJournal:
        """The journal of another id range of the same pull, beside this one."""
        path = self.path.with_name(f"{self.path.name}.{number}")
        return PageJournal(path, {**self._about, "lane": number}, self.began)

    def append(self, lines: Sequence[bytes]) -> None:
        if self._fd < 0:
            self._open()
        view = memoryview(b"".join(lines))
        while view:
            view = view[os.write(self._fd, view) :]

    def _open(self) -> None:
        make_folders(self.path.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o600)
        if not os.fstat(self._fd).st_size:
            self.append([self._first_line()])

    def _first_line(self) -> bytes:
        return line_of({"begin": self._about, "began": self.began})

    def sync(self) -> None:
        if self._fd >= 0:
            os.fdatasync(self._fd)

    def abandon(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def remove(self) -> None:
        self.abandon()
        self.path.unlink(missing_ok=True)
        for lane in self._lanes:
            lane.unlink(missing_ok=True)

    @property
    def _lanes(self) -> list[Path]:
        return list(self.path.parent.glob(f"{self.path.name}.[0-9]*"))

    @property
    def has_lanes(self) -> bool:
        """Whether another id range of the same pull has a journal."""
        return bool(self._lanes)

    def rewrite(self, frames: Sequence[Frame], notes: Sequence[Note]) -> None:
        """Start over with what is still true, in one step."""
        self.abandon()
        lines = [self._first_line(), *(frame.line() for frame in frames)]
        lines += [checked(note.body) for note in notes]
        put(self.path, b"".join(lines), aside=self.path.parent)

    def read(self) -> tuple[list[Frame], list[Note]]:
        """What the file tells, up to its first line that is not whole; nothing where there is no file.

        Raises `StaleError` when it was written about something else.
        """
        frames: list[Frame] = []
        notes: list[Note] = []
        if not self.path.exists():
            return frames, notes
        bodies = bodies_of(self.path.read_bytes())
        self._compare(next(bodies, None))
        for body in bodies:
            if body is None:
                break
            entry = orjson.loads(body)
            if "frame" in entry:
                frames.append(Frame(**entry["frame"]))
            else:
                notes.append(Note(entry["at"], body))
        return frames, notes

    def _compare(self, first: bytes | None) -> None:
        entry = {} if first is None else orjson.loads(first)
        begin = entry.get("begin")
        if not begin:
            raise StaleError("its first line is damaged")
        if begin.get("schema_version") != SCHEMA_VERSION:
            raise StaleError(f"it is of schema version {begin.get('schema_version')}, not {SCHEMA_VERSION}")
        ours = orjson.loads(orjson.dumps(self._about))
        differs = sorted(name for name in {*begin, *ours} if begin.get(name) != ours.get(name))
        if differs:
            raise StaleError(f"the configuration has changed: {', '.join(differs)}")
        self.began = entry["began"]
