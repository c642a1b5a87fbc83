"""One file of a pull while it grows: counted and hashed frame by frame, so that it need not be read again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from harvester.model import Part

_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class OpenPart:
    def __init__(self, path: Path, *, existing: bool = False) -> None:
        """A new file, or one that `adopt` will be told the frames of."""
        self.path = path
        self.records = 0
        self.raw_bytes = 0
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        self._fd = os.open(path, _FLAGS if existing else _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)

    def append(self, frame: bytes, raw_bytes: int, records: int) -> None:
        view = memoryview(frame)
        while view:
            view = view[os.write(self._fd, view) :]
        self.adopt(frame, raw_bytes, records)

    def adopt(self, frame: bytes, raw_bytes: int, records: int) -> None:
        """Count a frame that lies in the file already."""
        self._sha256.update(frame)
        self._bytes += len(frame)
        self.raw_bytes += raw_bytes
        self.records += records

    def cut(self) -> None:
        """Drop what lies behind the frames that were adopted, and go on there."""
        os.ftruncate(self._fd, self._bytes)
        os.lseek(self._fd, self._bytes, os.SEEK_SET)

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self) -> Part:
        os.fsync(self._fd)
        self.abandon()
        return Part(self.path.name, self.records, self._bytes, self._sha256.hexdigest(), self.raw_bytes)

    def abandon(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
