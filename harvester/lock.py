"""One run at a time per state folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harvester.errors import LockedError
from harvester.sinks.durable import make_folders
from harvester.sinks.part import disk_error


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
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode("ascii", "replace").strip() or "unknown"
            raise LockedError(
                f"another run (process {holder}) holds {folder}",
                advice="Wait for it, or give this run a state folder of its own.",
            ) from None
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise disk_error(error, "state folder") from None
        yield
    finally:
        os.close(fd)
