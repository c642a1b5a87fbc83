"""What a sink can do. One per shelf: `local` for a directory, `stdout` for a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harvester.model import Pull, Run
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


class Sink(Protocol):
    async def open(self) -> None:
        """See that the sink can be written. Raises `SinkError`."""
        ...

    async def stage(self, pull: Pull, run: Run) -> Staged:
        """A fresh place for a pull's parts; what an earlier try of the same run left there is removed."""
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

    async def discard(self, staged: Staged) -> None:
        """Remove what was staged."""
        ...

    async def close_run(self, run: Run, manifest: Json) -> None:
        """Write the run's manifest, last of all."""
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

    def runs(self) -> Iterator[Json]:
        """Manifests of finished runs, newest first."""
        ...

    def place(self, pull: Pull, run: Run) -> str:
        """Where a committed pull lies, for people."""
        ...
