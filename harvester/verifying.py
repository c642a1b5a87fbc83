"""Is what was committed still what its manifests swear to? Reads it all again, and says what is damaged.

Everything is read; nothing is written or mended: a damaged pull is pulled again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import msgspec

from harvester.commit import SCHEMA_VERSION
from harvester.errors import SinkError
from harvester.merging import in_order, named
from harvester.model import Pull, Run
from harvester.providers.dialect import Provider
from harvester.sinks.frames import SUFFIX, lines_of
from harvester.sinks.layout import MANIFEST, quarantine_name
from harvester.sinks.sink import Json, Sink

AT_ONCE = 2
"""Pulls that are read at once: checksums and decompression leave Python's lock alone."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was committed."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading one pull again came to."""

    place: str
    records: int
    bytes: int
    """as they lie"""
    damages: tuple[Damage, ...]


class _Part(msgspec.Struct):
    """What a manifest must hold of a part for it to be read again."""

    name: str
    records: int
    bytes: int
    raw_bytes: int
    sha256: str


class _Manifest(msgspec.Struct):
    records: int
    quarantined: int
    parts: list[_Part]


@dataclass(frozen=True, slots=True)
class Verifier:
    sink: Sink
    providers: Mapping[str, Provider]
    spill: Path
    """A folder of ours, for sorting ids that lie in no order."""

    def all(self, pulls: Sequence[tuple[Json, Json]], told: Callable[[Verified], None]) -> list[Verified]:
        """Read pulls again, given as (run's manifest, one of its results); `told` hears of each."""
        found: list[Verified] = []
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for verified in threads.map(lambda pull: self.pull(*pull), pulls):
                told(verified)
                found.append(verified)
        return found

    def pull(self, run: Json, result: Json) -> Verified:
        """Read one pull again."""
        pull = Pull(*(result[name] for name in ("provider", "application", "tenant", "resource")))
        place = self.sink.folder(pull, run_of(run), held=result["state"] == "held")
        files = self.sink.files(place)
        if not files:
            return Verified(place, 0, 0, (Damage(place, "the pull is gone"),))
        try:
            manifest = self.sink.manifest(place)
        except SinkError as error:
            return Verified(place, 0, 0, (Damage(place, error.what),))
        if manifest is None:
            return Verified(place, 0, 0, (Damage(place, f"there is no {MANIFEST}"),))
        said = [*self._claims(run, result, manifest)]
        records = 0 if said else int(manifest["records"])
        said += [] if said else self._files(pull, place, manifest, files)
        damages = tuple(Damage(place, what) for what in said)
        return Verified(place, records, sum(files.values()), damages)

    def _claims(self, run: Json, result: Json, manifest: Json) -> Iterator[str]:
        """What the pull's manifest says against its place and against the run's manifest."""
        version = manifest.get("schema_version")
        if version != SCHEMA_VERSION:
            yield f"its manifest is of schema version {version}, and this program knows {SCHEMA_VERSION}"
            return
        try:
            sworn = msgspec.convert(manifest, _Manifest)
        except msgspec.ValidationError as error:
            yield f"its manifest is damaged: {error}"
            return
        stated = {**{name: result[name] for name in ("provider", "tenant", "resource")}, "run": run["run"]}
        for name, value in stated.items():
            if manifest.get(name) != value:
                yield f"its manifest is of another {name}: {manifest.get(name)!r}"
        if sworn.records != result.get("records"):
            yield f"its manifest counts {sworn.records} records, the run's {result.get('records')}"
        if sum(part.records for part in sworn.parts) != sworn.records:
            yield "its manifest's parts do not add up to its records"

    def _files(self, pull: Pull, place: str, manifest: Json, files: Mapping[str, int]) -> Iterator[str]:
        expected = {part["name"] for part in manifest["parts"]} | {MANIFEST}
        if manifest["quarantined"]:
            names = {quarantine_name(suffix) for suffix in SUFFIX.values()} & files.keys()
            expected |= names
            yield from self._quarantine(place, manifest, names)
        for name in sorted(files.keys() - expected):
            yield f"{name} is not in its manifest"
        whole = True
        for part in manifest["parts"]:
            for what in self._part(place, part, files):
                whole = False
                yield f"{part['name']} {what}"
        if whole:
            yield from self._ids(pull, place, manifest)

    def _part(self, place: str, part: Json, files: Mapping[str, int]) -> Iterator[str]:
        name = part["name"]
        if name not in files:
            yield "is missing"
            return
        if files[name] != part["bytes"]:
            yield f"has {files[name]} bytes instead of {part['bytes']}"
            return
        digest = hashlib.sha256()
        for piece in self.sink.read(place, name):
            digest.update(piece)
        if digest.hexdigest() != part["sha256"]:
            yield "has another SHA-256 than it was committed with"
            return
        records = size = 0
        try:
            for line in lines_of(name, self.sink.read(place, name)):
                records += 1
                size += len(line) + 1
        except (EOFError, ValueError) as error:
            yield f"can't be unpacked: {error}"
            return
        if (records, size) != (part["records"], part["raw_bytes"]):
            stated = f"{part['records']} in {part['raw_bytes']}"
            yield f"holds {records} records in {size} bytes instead of {stated}"

    def _quarantine(self, place: str, manifest: Json, names: set[str]) -> Iterator[str]:
        try:
            count = sum(1 for name in names for _ in lines_of(name, self.sink.read(place, name)))
        except (EOFError, ValueError):
            yield "the quarantine can't be unpacked"
            return
        if count != manifest["quarantined"]:
            yield f"the quarantine holds {count} records instead of {manifest['quarantined']}"

    def _ids(self, pull: Pull, place: str, manifest: Json) -> Iterator[str]:
        """Whether every line is JSON with an id, and in a full pull of a collection each id comes once."""
        provider = self.providers.get(pull.provider)
        resource = None if provider is None else provider.resource(pull.resource)
        if resource is None or resource.shape != "pages" or resource.parent is not None:
            return  # such lines need have no id of their own
        try:
            if not all(row_id for row_id, _ in named(self.sink.lines(place, manifest), resource.key)):
                yield "there are records without an id"
                return
            ordered = in_order(lambda: self.sink.lines(place, manifest), resource.key, spill=self.spill)
            twice = sum(one[0] == other[0] for one, other in pairwise(ordered))
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield "there are lines that are not JSON"
            return
        if twice:
            yield f"{twice} ids come more than once"

    def pointers(self) -> Iterator[Damage]:
        """Pointers that name what is not there."""
        for place, pointer in self.sink.pointers():
            if pointer is None:
                yield Damage(place, "the pointer can't be read")
                continue
            for target in (pointer, *pointer.get("increments", ())):
                if MANIFEST not in self.sink.files(target["path"]):
                    yield Damage(place, f"it names {target['path']}, where no pull lies")


def run_of(manifest: Json) -> Run:
    """The run that a run's manifest is of."""
    return Run(manifest["run"], datetime.fromisoformat(manifest["started"]).timestamp())


def in_share(run: Json, result: Json, share: int, day: int) -> bool:
    """Whether a pull's turn is on a day, when one `share`-th of all pulls is read each day."""
    name = f"{run['run']}/{result['provider']}/{result['tenant']}/{result['resource']}"
    return zlib.crc32(name.encode()) % share == day % share
