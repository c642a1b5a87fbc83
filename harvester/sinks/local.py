"""A directory as the sink: parts are staged, then appear with their manifest in one rename.

Order of writes, and what is true at any moment:
1. parts are written and fsynced below `_staging/RUN/`, which no reader looks into;
2. `_manifest.json` is written beside them and fsynced;
3. the folder is renamed to its place in the lake: that is the commit: nothing is visible before, all after;
4. `_current/` is pointed at it. Should we die between 3 and 4, `--resume` mends the pointer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import orjson

from harvester.errors import SinkError
from harvester.model import Pull, Run
from harvester.offload import Offload
from harvester.sinks import layout
from harvester.sinks.durable import make_folders, move_folder, put, write_synced
from harvester.sinks.frames import Compression, read_lines
from harvester.sinks.page_journal import PageJournal
from harvester.sinks.part import PartsWriter, disk_error
from harvester.sinks.pointing import pointed
from harvester.sinks.sink import Json, Staged

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LocalSink:
    """The lake in a folder of a disk."""

    root: Path
    compression: Compression
    part_size: int
    offload: Offload

    async def open(self) -> None:
        """Make sure that we can write here, before the first request is sent."""

        def probe() -> None:
            make_folders(self.root)
            put(self.root / layout.STAGING / "probe", b"", aside=self.root / layout.STAGING)
            (self.root / layout.STAGING / "probe").unlink(missing_ok=True)  # a backfill may probe as well

        await self._guarded(probe)

    async def stage(self, pull: Pull, run: Run, journal: PageJournal | None = None) -> Staged:
        staged = self._staged(pull, run, journal)

        def prepare() -> None:
            _remove(staged)  # what an earlier try of this run left
            make_folders(staged.folder)

        await self._guarded(prepare, pull.key)
        return staged

    def restage(self, pull: Pull, run: Run, journal: PageJournal) -> Staged:
        return self._staged(pull, run, journal)

    def _staged(self, pull: Pull, run: Run, journal: PageJournal | None) -> Staged:
        folder = self.root / layout.STAGING / run.id / layout.pull_folder(pull, run)
        writer = PartsWriter(
            folder,
            compression=self.compression,
            part_size=self.part_size,
            offload=self.offload,
            where=pull.key,
            journal=journal,
        )
        return Staged(pull, run, folder, writer, journal)

    async def publish(self, staged: Staged, manifest: Json) -> None:
        place = layout.pull_folder(staged.pull, staged.run)
        await self._move(staged, self.root / place, manifest)
        await self.point(staged.pull, staged.run, manifest)

    async def point(self, pull: Pull, run: Run, manifest: Json) -> None:
        place = layout.pointer(pull)
        pointer = pointed(self._read(place), str(layout.pull_folder(pull, run)), run, manifest)
        if pointer is not None:
            data = orjson.dumps(pointer, option=_PRETTY)
            await self._guarded(lambda: put(self.root / place, data, aside=self._aside), pull.key)

    async def hold(self, staged: Staged, manifest: Json) -> None:
        place = layout.pull_folder(staged.pull, staged.run)
        await self._move(staged, self.root / layout.HELD / place, manifest)

    async def release(self, pull: Pull, run: Run, manifest: Json) -> None:
        held, place = self.root / self.folder(pull, run, held=True), self.root / self.folder(pull, run)

        def move() -> None:
            if held.is_dir():  # else an earlier try came as far as this
                put(held / layout.MANIFEST, orjson.dumps(manifest, option=_PRETTY), aside=self._aside)
                move_folder(held, place)

        await self._guarded(move, pull.key)
        await self.point(pull, run, manifest)

    async def _move(self, staged: Staged, target: Path, manifest: Json) -> None:
        def move() -> None:
            write_synced(staged.folder / layout.MANIFEST, orjson.dumps(manifest, option=_PRETTY))
            move_folder(staged.folder, target)
            if staged.journal is not None:
                staged.journal.remove()

        await self._guarded(move, staged.pull.key)

    async def discard(self, staged: Staged) -> None:
        staged.writer.abandon()
        await self.offload(lambda: _remove(staged))

    async def close_run(self, run: Run, manifest: Json) -> None:
        def close() -> None:
            data = orjson.dumps(manifest, option=_PRETTY)
            put(self.root / layout.run_manifest(run.id), data, aside=self._aside)

        await self._guarded(close)

    async def clear(self, run: Run) -> None:
        await self.offload(lambda: shutil.rmtree(self.root / layout.STAGING / run.id, ignore_errors=True))

    async def sweep(self, keep: str, before: float) -> list[str]:
        def sweep() -> list[str]:
            staging = self.root / layout.STAGING
            folders = [path for path in staging.iterdir() if path.is_dir() and path.name != keep]
            dead = [path for path in folders if _older(path, before)]
            for path in dead:
                shutil.rmtree(path, ignore_errors=True)
            return sorted(path.name for path in dead)

        return await self._guarded(sweep)

    def committed(self, pull: Pull, run: Run) -> Json | None:
        return self._read(layout.pull_folder(pull, run) / layout.MANIFEST)

    def held(self, pull: Pull, run: Run) -> Json | None:
        return self._read(layout.HELD / layout.pull_folder(pull, run) / layout.MANIFEST)

    def pointer(self, pull: Pull) -> Json | None:
        return self._read(layout.pointer(pull))

    def current(self, pull: Pull) -> Json | None:
        pointer = self.pointer(pull)
        return None if pointer is None else self.manifest(pointer["path"])

    def manifest(self, place: str) -> Json | None:
        return self._read(PurePosixPath(place) / layout.MANIFEST)

    def folder(self, pull: Pull, run: Run, *, held: bool = False) -> str:
        place = layout.pull_folder(pull, run)
        return str(layout.HELD / place if held else place)

    def files(self, place: str) -> Mapping[str, int]:
        folder = self.root / place
        try:
            return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SinkError(f"can't list {place}: {error.strerror}") from None

    def read(self, place: str, name: str) -> Iterator[bytes]:
        try:
            with (self.root / place / name).open("rb") as file:
                while piece := file.read(1 << 20):
                    yield piece
        except OSError as error:
            raise SinkError(f"can't read {place}/{name}: {error.strerror}") from None

    def pointers(self) -> Iterator[tuple[str, Json | None]]:
        for path in sorted((self.root / layout.CURRENT).glob("*/*/*.json")):
            place = path.relative_to(self.root)
            try:
                yield str(place), self._read(PurePosixPath(place))
            except SinkError:
                yield str(place), None

    def staged(self) -> Sequence[str]:
        folder = self.root / layout.STAGING
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()

    def lines(self, place: str, manifest: Json) -> Iterator[bytes]:
        for part in manifest["parts"]:
            try:
                yield from read_lines(self.root / place / part["name"])
            except (OSError, EOFError, ValueError) as error:
                raise SinkError(
                    f"can't read {place}/{part['name']}: {type(error).__name__}",
                    advice="`harvester verify` says what is damaged.",
                ) from None

    def finished(self, run: str) -> Json | None:
        return self._read(layout.run_manifest(run))

    def runs(self) -> Iterator[Json]:
        folder = self.root / layout.RUNS
        try:
            names = sorted(os.listdir(folder), reverse=True)  # noqa: PTH208 - glob would hide what it may not read
        except FileNotFoundError:
            return
        except OSError as error:
            raise SinkError(
                f"can't list the runs: {error.strerror}",
                where=str(folder),
                advice="Check the sink and its permissions.",
            ) from None
        for name in names:
            manifest = self._read(layout.RUNS / name) if name.endswith(".json") else None
            if manifest is not None:
                yield manifest

    def place(self, pull: Pull, run: Run) -> str:
        return str(self.root / layout.pull_folder(pull, run))

    @property
    def _aside(self) -> Path:
        return self.root / layout.STAGING

    def _read(self, place: PurePosixPath) -> Json | None:
        try:
            value = orjson.loads((self.root / place).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SinkError(
                f"can't read {place}: {type(error).__name__}", advice="Restore the file or remove it."
            ) from None
        return value if isinstance(value, dict) else None

    async def _guarded(self, call: Callable[[], T], where: str = "sink") -> T:
        try:
            return await self.offload(call)
        except OSError as error:
            raise disk_error(error, where) from None


def _older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:  # a backfill beside us has just cleared it away
        return False


def _remove(staged: Staged) -> None:
    """What is staged, and first the journal that speaks of it."""
    if staged.journal is not None:
        staged.journal.remove()
    shutil.rmtree(staged.folder, ignore_errors=True)


_PRETTY = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
