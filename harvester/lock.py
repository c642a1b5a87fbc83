"""One run at a time per state folder, and a look at whether there is one."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harvester.errors import LockedError
from harvester.sinks.durable import make_folders
from harvester.sinks.part import disk_error

TRIES, PAUSE = 5, 0.05
"""A look at the lock (`Watch`) holds it for a moment: that must not turn a run away."""


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the state folder for as long as the block runs; the kernel lets go of it however we end.

    Raises `LockedError` naming the process that holds it.
    """
    try:
        make_folders(folder)
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_error(error, "state folder") from None
    try:
        if not _taken(fd):
            holder = os.read(fd, 32).decode("ascii", "replace").strip() or "unknown"
            raise LockedError(
                f"another run (process {holder}) holds {folder}",
                advice="Wait for it, or give this run a state folder of its own.",
            )
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise disk_error(error, "state folder") from None
        yield
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


class Watch:
    """Sees whether a run holds a state folder, without standing in its way."""

    def __init__(self, folder: Path) -> None:
        try:
            make_folders(folder)
            self._fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk_error(error, "state folder") from None

    def held(self) -> bool:
        """Whether somebody holds it now. Two system calls: cheap enough before each request."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        os.close(self._fd)
