"""Files that are there whole or not at all: write aside, fsync, rename, fsync the folder.

Of 53 ways in which a power cut can leave this, none shows a torn file (docs/what-lands.md).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def make_folders(folder: Path) -> None:
    """Create `folder` and what is missing above it, 0700, each durable in its parent."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_synced(path: Path, data: bytes) -> None:
    """A new file, 0600, on disk before this returns. Refuses to follow a link or to replace a file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def put(path: Path, data: bytes, *, aside: Path) -> None:
    """Create or replace `path` in one step; `aside` is a folder on the same disk that nobody reads."""
    make_folders(path.parent)
    make_folders(aside)
    draft = aside / f"{path.name}.{secrets.token_hex(4)}"
    try:
        write_synced(draft, data)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move_folder(source: Path, target: Path) -> None:
    """Publish a whole folder in one step. Its files must be synced already."""
    sync_folder(source)
    make_folders(target.parent)
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)
