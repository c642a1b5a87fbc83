"""A file of checked lines that grows, in the state folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harvester.checked_lines import line_of
from harvester.sinks.durable import make_folders, sync_folder
from harvester.sinks.part import disk_error


class CheckedFile:
    """Appends entries to a file of the state folder, each on disk before the next thing is done.

    Raises `SinkError` when the disk fails.
    """

    def __init__(self, path: Path) -> None:
        try:
            make_folders(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
            sync_folder(path.parent)
            if os.fstat(self._fd).st_size and not path.read_bytes().endswith(b"\n"):
                os.write(self._fd, b"\n")  # a torn line ends here, and is ignored
        except OSError as error:
            raise disk_error(error, "state folder") from None

    def append(self, entry: dict[str, Any]) -> None:
        try:
            os.write(self._fd, line_of(entry))
            os.fsync(self._fd)
        except OSError as error:
            raise disk_error(error, "state folder") from None

    def close(self) -> None:
        os.close(self._fd)
