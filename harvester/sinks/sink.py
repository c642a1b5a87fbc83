"""What a sink can do. One per shelf: `local` for a directory, `stdout` for a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harvester.model import Pull, Run
from harvester.sinks.page_journal import PageJournal
from harvester.sinks.part import PartsWriter

Json = Mapping[str, Any]
"""A manifest as it lies; docs/what-lands.md lists its keys."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A pull's output while it is not visible yet."""

    pull: Pull
    run: Run
    folder: Path
    writer: PartsWriter
    journal: PageJournal | None = None
    """Where the writer tells what is on disk, so that another process can go on; None: nobody will"""


class Sink(Protocol):
    async def open(self) -> None:
        """See that the sink can be written. Raises `SinkError`."""
        ...

    async def stage(self, pull: Pull, run: Run, journal: PageJournal | None = None) -> Staged:
        """A fresh place for a pull's parts; what an earlier try of the same run left there is removed."""
        ...

    def restage(self, pull: Pull, run: Run, journal: PageJournal) -> Staged:
        """The place where an earlier process of the same run staged the pull; its writer can `recover`."""
        ...

    async def publish(self, staged: Staged, manifest: Json) -> None:
        """Make parts and manifest visible in one step: the commit."""
        ...

    async def point(self, pull: Pull, run: Run, manifest: Json) -> None:
        """Let `_current` name this commit, unless it names a newer one. A part of `publish`."""
        ...

    async def hold(self, staged: Staged, manifest: Json) -> None:
        """Keep parts and manifest for a person's decision, where no reader sees them."""
        ...

    async def release(self, pull: Pull, run: Run, manifest: Json) -> None:
        """Publish a pull that was held, with this manifest, in one step. Doing it again finishes it."""
        ...

    async def discard(self, staged: Staged) -> None:
        """Remove what was staged."""
        ...

    async def clear(self, run: Run) -> None:
        """Remove whatever a run has still staged: nothing is left to be resumed."""
        ...

    async def sweep(self, keep: str, before: float) -> list[str]:
        """Remove what runs other than `keep` have staged and not touched since `before`; their ids."""
        ...

    async def close_run(self, run: Run, manifest: Json) -> None:
        """Write the run's manifest, last of all; what is staged is for `--resume`, or for `sweep`."""
        ...

    def committed(self, pull: Pull, run: Run) -> Json | None:
        """The manifest of a pull that this run has committed."""
        ...

    def held(self, pull: Pull, run: Run) -> Json | None:
        """The manifest of a pull that this run has held."""
        ...

    def current(self, pull: Pull) -> Json | None:
        """The manifest of the newest published full snapshot."""
        ...

    def pointer(self, pull: Pull) -> Json | None:
        """`_current` as it lies: the newest published full snapshot, and the increments after it."""
        ...

    def manifest(self, place: str) -> Json | None:
        """The manifest of the pull that lies in a folder, named as a pointer's `path` does; None: no pull."""
        ...

    def folder(self, pull: Pull, run: Run, *, held: bool = False) -> str:
        """Where a pull lies once it is committed, or held: a place, as in a pointer's `path`."""
        ...

    def files(self, place: str) -> Mapping[str, int]:
        """Names and sizes of the files in a place; empty where there is none."""
        ...

    def read(self, place: str, name: str) -> Iterator[bytes]:
        """A file as it lies, in pieces. Blocks. Raises `SinkError`."""
        ...

    def pointers(self) -> Iterator[tuple[str, Json | None]]:
        """Every pointer in `_current` by its place; None for one that can't be read."""
        ...

    def staged(self) -> Sequence[str]:
        """Ids of runs that have something staged."""
        ...

    def lines(self, place: str, manifest: Json) -> Iterator[bytes]:
        """The records of that pull, part by part. Blocks, so call it from a thread."""
        ...

    def finished(self, run: str) -> Json | None:
        """The manifest of that run, once it has ended."""
        ...

    def runs(self) -> Iterator[Json]:
        """Manifests of finished runs, newest first."""
        ...

    def place(self, pull: Pull, run: Run) -> str:
        """Where a committed pull lies, for people."""
        ...
