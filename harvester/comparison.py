"""A staged pull beside the last published snapshot, walked through once, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from harvester.guarding import Comparison, worst_schools
from harvester.http.rows import is_tombstone
from harvester.merging import BATCH, DisorderError, Lines, Named, in_order, paired

MOST_GONE = 20_000
"""Ids of vanished records that are kept, to look some of them up."""


class _Ref(msgspec.Struct):
    sourced_id: str | None = msgspec.field(default=None, name="sourcedId")


class _Role(msgspec.Struct):
    org: _Ref | None = None


class _Row(msgspec.Struct):
    """Where OneRoster says which school a record belongs to."""

    school: _Ref | None = None
    orgs: list[_Ref] | None = None
    primary_org: _Ref | None = msgspec.field(default=None, name="primaryOrg")
    roles: list[_Role] | None = None


_rows = msgspec.json.Decoder(list[_Row])


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    lines: Lines
    ordered: bool
    """Whether its certificate says that the server listed it by id, by code point."""


def compare(old: Side, new: Side, key: tuple[str, ...], known: Comparison, *, spill: Path) -> Comparison:
    """Fill in what only the records tell. Blocks. `known`: what the manifests say already."""
    try:
        return _compare(old, new, key, known, spill)
    except DisorderError:
        unordered = replace(old, ordered=False), replace(new, ordered=False)
        return _compare(*unordered, key, known, spill)


def _compare(old: Side, new: Side, key: tuple[str, ...], known: Comparison, spill: Path) -> Comparison:
    before, now = _Schools(), _Schools()
    gone: list[str] = []
    came = tombstones = vanished = 0
    known_id = ""
    streams = (
        schools.counting(in_order(side.lines, key, spill=spill, presumed=side.ordered))
        for side, schools in ((old, before), (new, now))
    )
    for row_id, was, is_now in paired(*streams):
        if was is None:
            came += 1
        elif is_now is None:
            if is_tombstone(was):
                tombstones += 1  # what was deleted may go
            else:
                vanished += 1
                if len(gone) < MOST_GONE:
                    gone.append(row_id)
        elif not known_id and not is_tombstone(is_now):
            known_id = row_id
    schools = {school: (count, now.counts[school]) for school, count in before.counts.items()}
    return replace(
        known,
        added=came,
        vanished=vanished,
        gone=gone,
        known=known_id,
        tombstones_before=known.tombstones_before - tombstones,
        schools=schools,
    )


class _Schools:
    """Counts the live records of each school as they pass by."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def counting(self, records: Iterator[Named]) -> Iterator[Named]:
        while batch := list(islice(records, BATCH)):
            self._count([line for _, line in batch])
            yield from batch

    def _count(self, lines: list[bytes]) -> None:
        try:
            rows = _rows.decode(b"[" + b",".join(lines) + b"]")
        except msgspec.DecodeError:
            return  # records of another kind: no schools to speak of
        for row, line in zip(rows, lines, strict=True):
            if not is_tombstone(line):
                self.counts.update(_schools_of(row))


def _schools_of(row: _Row) -> set[str]:
    refs = [row.school, row.primary_org, *(row.orgs or ()), *(role.org for role in row.roles or ())]
    return {ref.sourced_id for ref in refs if ref is not None and ref.sourced_id}


def by_id(order_seen: str | None) -> bool:
    """Whether a certificate says that records came in order of their ids' code points."""
    return order_seen == "id asc (codepoint)"


def compared_in_manifest(seen: Comparison) -> dict[str, Any]:
    """The comparison as it lies in a manifest: the schools that lost the most instead of all."""
    worst = [{"school": school, "before": was, "now": now} for school, was, now in worst_schools(seen)]
    told = asdict(replace(seen, schools={}, gone=()))
    return {name: value for name, value in told.items() if name not in ("gone", "known")} | {"schools": worst}
