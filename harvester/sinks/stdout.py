"""Stdout as the sink: a pull's records appear together when it is committed, never half and never mixed.

Parts are spooled uncompressed in the state folder until then; manifests stay there too, so that `runs`
and `show` work as they do for a lake.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import anyio

from harvester.errors import SinkError, UsageError
from harvester.model import Pull, Run
from harvester.sinks.local import LocalSink
from harvester.sinks.page_journal import PageJournal
from harvester.sinks.sink import Json, Staged


@dataclass(slots=True)
class StdoutSink:
    spool: LocalSink
    out: BinaryIO
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def open(self) -> None:
        await self.spool.open()

    async def stage(self, pull: Pull, run: Run, journal: PageJournal | None = None) -> Staged:
        return await self.spool.stage(pull, run, journal)

    def restage(self, pull: Pull, run: Run, journal: PageJournal) -> Staged:
        return self.spool.restage(pull, run, journal)

    async def publish(self, staged: Staged, manifest: Json) -> None:
        async with self._turn:
            await self.spool.offload(lambda: self._copy(staged, manifest))
        await self.spool.discard(staged)

    def _copy(self, staged: Staged, manifest: Json) -> None:
        try:
            for part in manifest["parts"]:
                with (staged.folder / part["name"]).open("rb") as lines:
                    shutil.copyfileobj(lines, self.out, 1 << 20)
            self.out.flush()
        except OSError as error:
            raise SinkError(
                f"stdout: {error.strerror}", where=staged.pull.key, advice="The reader of the pipe has gone."
            ) from None

    async def point(self, pull: Pull, run: Run, manifest: Json) -> None:
        """A pipe has no newest snapshot."""

    async def hold(self, staged: Staged, manifest: Json) -> None:
        await self.spool.hold(staged, manifest)

    async def release(self, pull: Pull, run: Run, manifest: Json) -> None:  # noqa: ARG002
        raise UsageError(
            "what a pipe was not given can't be given later",
            where=pull.key,
            advice=f"Read it below {self.spool.root}, or pull again with a weaker `require`.",
        )

    async def discard(self, staged: Staged) -> None:
        await self.spool.discard(staged)

    async def clear(self, run: Run) -> None:
        await self.spool.clear(run)

    async def sweep(self, keep: str, before: float) -> list[str]:
        return await self.spool.sweep(keep, before)

    async def close_run(self, run: Run, manifest: Json) -> None:
        await self.spool.close_run(run, manifest)

    def committed(self, pull: Pull, run: Run) -> Json | None:  # noqa: ARG002 - a pipe keeps nothing
        return None

    def held(self, pull: Pull, run: Run) -> Json | None:
        return self.spool.held(pull, run)

    def current(self, pull: Pull) -> Json | None:  # noqa: ARG002
        return None

    def pointer(self, pull: Pull) -> Json | None:  # noqa: ARG002
        return None

    def manifest(self, place: str) -> Json | None:
        return self.spool.manifest(place)

    def lines(self, place: str, manifest: Json) -> Iterator[bytes]:
        return self.spool.lines(place, manifest)

    def folder(self, pull: Pull, run: Run, *, held: bool = False) -> str:
        return self.spool.folder(pull, run, held=held)

    def files(self, place: str) -> Mapping[str, int]:
        return self.spool.files(place)

    def read(self, place: str, name: str) -> Iterator[bytes]:
        return self.spool.read(place, name)

    def pointers(self) -> Iterator[tuple[str, Json | None]]:
        return self.spool.pointers()

    def staged(self) -> Sequence[str]:
        return self.spool.staged()

    def finished(self, run: str) -> Json | None:
        return self.spool.finished(run)

    def runs(self) -> Iterator[Json]:
        return self.spool.runs()

    def place(self, pull: Pull, run: Run) -> str:  # noqa: ARG002
        return "stdout"
