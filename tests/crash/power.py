"""What a power cut may leave of a recorded series of file operations: every state, in two models of a disk.

As ALICE does (Pillai et al., OSDI 2014), in miniature. An operation on a folder that no fsync of that folder
has covered may have reached the disk or not: as a prefix of them in order (`ordered`, as ext4 does) or each
for itself (`weak`, as btrfs may). Of a file's bytes that no fsync has covered there may be none, some or all.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

Disk = Literal["ordered", "weak"]
Files = dict[str, tuple[int, int]]
"""What is found after a cut: path -> (bytes there, bytes that were ever written)."""


@dataclass
class Inode:
    number: int
    folder: bool
    names: dict[str, Inode] = field(default_factory=dict)
    """of a folder, as the running system sees them"""


@dataclass(frozen=True)
class Step:
    """`link`: a name for an inode in a folder; `unlink`: no more. A rename is both at once."""

    what: Literal["name", "write", "fsync", "ack"]
    inode: int = 0
    unlink: tuple[int, str] | None = None
    link: tuple[int, str] | None = None
    size: int = 0
    said: str = ""


class Recorder:
    """Listens to what `os` is asked to do below `root`."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[Step] = []
        self.root = Inode(0, folder=True)
        self._path = root
        self._numbers = itertools.count(1)
        self._files: dict[int, Inode] = {}
        """by descriptor"""
        heard = {
            "open": self._opened,
            "close": lambda _, fd: self._files.pop(fd, None),
            "write": self._wrote,
            "fsync": self._synced,
            "fdatasync": self._synced,
            "mkdir": lambda _, path, *mode: self._new(path, folder=True),
            "rename": self._renamed,
            "replace": self._renamed,
            "unlink": self._unlinked,
        }
        for name, hear in heard.items():
            monkeypatch.setattr(os, name, _listening(getattr(os, name), hear))

    def ack(self, what: str) -> None:
        """The caller was told that something is done."""
        self.steps.append(Step("ack", said=what))

    def _place(self, path: Any) -> tuple[Inode, str] | None:
        try:
            parts = Path(path).relative_to(self._path).parts
        except (TypeError, ValueError):
            return None
        folder = self.root
        for part in parts[:-1]:
            folder = folder.names[part]
        return folder, parts[-1] if parts else ""

    def _new(self, path: Any, *, folder: bool) -> None:
        place = self._place(path)
        if place is not None:
            made = place[0].names[place[1]] = Inode(next(self._numbers), folder)
            self.steps.append(Step("name", made.number, link=(place[0].number, place[1])))

    def _opened(self, fd: int, path: Any, flags: int, *_mode: int) -> None:
        place = self._place(path)
        if place is None:
            return
        folder, name = place
        if flags & os.O_CREAT and name not in folder.names:
            self._new(path, folder=False)
        self._files[fd] = folder.names[name] if name else self.root

    def _wrote(self, size: int, fd: int, _data: Any) -> None:
        if fd in self._files:
            self.steps.append(Step("write", self._files[fd].number, size=size))

    def _synced(self, _: None, fd: int) -> None:
        if fd in self._files:
            self.steps.append(Step("fsync", self._files[fd].number))

    def _renamed(self, _: None, old: Any, new: Any) -> None:
        source, target = self._place(old), self._place(new)
        if source is not None and target is not None:
            inode = source[0].names.pop(source[1])
            target[0].names[target[1]] = inode
            pair = (source[0].number, source[1]), (target[0].number, target[1])
            self.steps.append(Step("name", inode.number, unlink=pair[0], link=pair[1]))

    def _unlinked(self, _: None, path: Any, **_options: Any) -> None:
        place = self._place(path)
        if place is not None:
            inode = place[0].names.pop(place[1])
            self.steps.append(Step("name", inode.number, unlink=(place[0].number, place[1])))


def _listening(real: Any, hear: Any) -> Any:
    def call(*args: Any, **options: Any) -> Any:
        result = real(*args, **options)
        hear(result, *args)
        return result

    return call


def cuts(steps: Sequence[Step], disk: Disk) -> Iterator[tuple[Files, set[str]]]:
    """What may be found if the power goes after any step, and what had been acknowledged by then."""
    seen: set[tuple[frozenset[tuple[str, tuple[int, int]]], frozenset[str]]] = set()
    for length in range(len(steps) + 1):
        done = steps[:length]
        acked = {step.said for step in done if step.what == "ack"}
        for names in _surviving(done, disk):
            for files in _with_bytes(_tree(names), done):
                state = (frozenset(files.items()), frozenset(acked))
                if state not in seen:
                    seen.add(state)
                    yield files, acked


def _surviving(done: Sequence[Step], disk: Disk) -> Iterator[list[Step]]:
    """The operations on names that reached the disk."""
    synced: dict[int, int] = {}
    for at, step in enumerate(done):
        if step.what == "fsync":
            synced[step.inode] = at
    names = [(at, step) for at, step in enumerate(done) if step.what == "name"]
    sure = [at for at, step in names if all(synced.get(folder, -1) > at for folder in _folders(step)[-1:])]
    loose = [at for at, _ in names if at not in set(sure)]
    if disk == "ordered":
        chosen: Iterable[Sequence[int]] = (loose[:count] for count in range(len(loose) + 1))
    else:
        assert len(loose) <= 14, "too many to try all"
        chosen = itertools.chain.from_iterable(
            itertools.combinations(loose, count) for count in range(len(loose) + 1)
        )
    for some in chosen:
        kept = {*sure, *some}
        yield [step for at, step in names if at in kept]


def _folders(step: Step) -> list[int]:
    """Whose fsync makes it sure: for a rename, the folder that it goes to."""
    return [place[0] for place in (step.unlink, step.link) if place is not None]


def _tree(names: Sequence[Step]) -> dict[str, int]:
    """Path -> inode of all that hangs together with the root."""
    folders: dict[int, dict[str, int]] = defaultdict(dict)
    for step in names:
        if step.unlink is not None:
            folders[step.unlink[0]].pop(step.unlink[1], None)
        if step.link is not None:
            for content in folders.values():  # a folder or file has one name
                for name in [name for name, inode in content.items() if inode == step.inode]:
                    del content[name]
            folders[step.link[0]][step.link[1]] = step.inode
    found: dict[str, int] = {}
    queue = [("", 0)]
    while queue:
        path, inode = queue.pop()
        for name, child in folders.get(inode, {}).items():
            found[f"{path}{name}"] = child
            queue.append((f"{path}{name}/", child))
    return found


def _with_bytes(tree: Mapping[str, int], done: Sequence[Step]) -> Iterator[Files]:
    """Every visible file with none, some or all of the bytes that were not synced."""
    size: Counter[int] = Counter()
    safe: Counter[int] = Counter()
    for step in done:
        if step.what == "write":
            size[step.inode] += step.size
        elif step.what == "fsync":
            safe[step.inode] = size[step.inode]
    paths = [path for path, inode in tree.items() if inode in size]
    sizes = [sorted({safe[n], (safe[n] + size[n]) // 2, size[n]}) for n in (tree[path] for path in paths)]
    for there in itertools.product(*sizes):
        files: Files = {path: (-1, -1) for path in tree if path not in paths}  # folders, and empty files
        yield files | {path: (n, size[tree[path]]) for path, n in zip(paths, there, strict=True)}
