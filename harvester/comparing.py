"""What changed between two pulls of the same collection: added, changed, removed, and in which fields.

Both are walked through in order of id, in bounded memory. A record that was only written differently (the
order of its members, `1.10` for `1.1`) has not changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import orjson

from harvester.http.rows import is_tombstone
from harvester.merging import in_order, latest, paired
from harvester.sinks.sink import Json, Sink

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Change:
    kind: Literal["added", "changed", "removed"]
    id: str
    fields: tuple[str, ...] = ()
    """Names of the members that differ, of a record that changed."""


@dataclass(slots=True)
class Tally:
    """A pull's changes, counted."""

    before: int = 0
    now: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    fields: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        counts = ("before", "now", "added", "changed", "removed")
        return {name: getattr(self, name) for name in counts} | {"fields": dict(self.fields)}

    def count(self, change: Change) -> None:
        setattr(self, change.kind, getattr(self, change.kind) + 1)
        self.fields.update(change.fields)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One pull as it lies in a sink."""

    sink: Sink
    place: str
    manifest: Json
    key: tuple[str, ...]

    def ordered(self, spill: Path) -> Iterator[tuple[str, bytes]]:
        """Its records in order of id."""
        return in_order(partial(self.sink.lines, self.place, self.manifest), self.key, spill=spill)


def changes(old: Snapshot, new: Snapshot, *, spill: Path) -> Iterator[Change]:
    """What changed from `old` to `new`, in order of id. Blocks."""
    for row_id, before, now in paired(old.ordered(spill), new.ordered(spill)):
        if before is None:
            yield Change("added", row_id)
        elif now is None:
            yield Change("removed", row_id)
        elif before != now and (fields := differing(before, now)):
            yield Change("changed", row_id, fields)


def differing(before: bytes, now: bytes) -> tuple[str, ...]:
    """Names of the members of two records that differ in more than their spelling."""
    old, new = _members.decode(before), _members.decode(now)
    return tuple(name for name in sorted({*old, *new}) if not _alike(old.get(name), new.get(name)))


def _alike(old: msgspec.Raw | None, new: msgspec.Raw | None) -> bool:
    if old is None or new is None:
        return False
    one, other = bytes(old), bytes(new)
    return one == other or orjson.loads(one) == orjson.loads(other)


def present(layers: list[Snapshot], *, spill: Path, tombstones: bool = False) -> Iterator[bytes]:
    """The present state of a collection, in order of id, from a full snapshot and the increments after it.

    Records that the provider calls deleted are left out, unless `tombstones`.
    """
    for _, line in latest([layer.ordered(spill) for layer in layers]):
        if tombstones or not is_tombstone(line):
            yield line
