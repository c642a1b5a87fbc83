"""Records of pulls brought into one order, so that two of them, or a base and its increments, can be walked
through side by side in bounded memory, whatever their size.

The order is that of the ids' code points. Parts that a server listed in that order are read as they lie;
others are sorted in runs that are spilled to disk and merged. A spill holds personal data: its folder is
0700, and it is removed however the reading ends.
"""

from __future__ import annotations

import heapq
import marshal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

from harvester.http.rows import identify
from harvester.sinks.durable import make_folders

BATCH = 500
"""Lines that are identified, and spilled, in one go."""
RUN = 32 * 1024 * 1024
"""Bytes of lines that are sorted in memory at once; Python needs about three times as much for them."""

Lines = Callable[[], Iterator[bytes]]
"""Reads records from their beginning: they may be needed twice."""
Named = tuple[str, bytes]
"""An id and its line."""


class DisorderError(Exception):
    """Records that were presumed to ascend by id do not."""


def in_order(lines: Lines, key: tuple[str, ...], *, spill: Path, presumed: bool = False) -> Iterator[Named]:
    """(id, line) in order of the id; `spill`: a folder of ours where runs may be put meanwhile.

    `presumed`: they lie in that order by all that is known, so read them once only; `DisorderError` if not.
    """
    if presumed:
        yield from _ascending(named(lines(), key))
        return
    if _ascends(named(lines(), key)):
        yield from named(lines(), key)
        return
    make_folders(spill)
    with tempfile.TemporaryDirectory(dir=spill, prefix="sort-") as folder:
        runs = [_spilled(run, Path(folder, str(i))) for i, run in enumerate(_runs(named(lines(), key)))]
        yield from heapq.merge(*map(_read, runs), key=itemgetter(0))


def named(lines: Iterable[bytes], key: tuple[str, ...]) -> Iterator[Named]:
    """Each line with its id, in the order in which they come."""
    rest = iter(lines)
    while batch := list(islice(rest, BATCH)):
        ids, _ = identify(batch, key)
        yield from zip(ids, batch, strict=True)


def paired(old: Iterator[Named], new: Iterator[Named]) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """(id, old line, new line) in order of the id, of two such streams. Of equal ids the last counts."""
    for row_id, lines in _by_id((old, new)):
        yield row_id, lines.get(0), lines.get(1)


def latest(layers: Sequence[Iterator[Named]]) -> Iterator[Named]:
    """(id, line) in order of the id, where later layers replace what earlier ones say of an id."""
    for row_id, lines in _by_id(layers):
        yield row_id, lines[max(lines)]


def _by_id(streams: Sequence[Iterator[Named]]) -> Iterator[tuple[str, dict[int, bytes]]]:
    def numbered(number: int, stream: Iterator[Named]) -> Iterator[tuple[str, int, bytes]]:
        for row_id, line in stream:
            yield row_id, number, line

    merged = heapq.merge(*(numbered(i, one) for i, one in enumerate(streams)), key=itemgetter(0, 1))
    for row_id, group in groupby(merged, key=itemgetter(0)):
        yield row_id, {number: line for _, number, line in group}


def _ascending(records: Iterator[Named]) -> Iterator[Named]:
    last = ""
    for record in records:
        if record[0] < last:
            raise DisorderError
        last = record[0]
        yield record


def _ascends(records: Iterator[Named]) -> bool:
    last = ""
    for row_id, _ in records:
        if row_id < last:
            return False
        last = row_id
    return True


def _runs(records: Iterator[Named]) -> Iterator[list[Named]]:
    run: list[Named] = []
    size = 0
    for record in records:
        run.append(record)
        size += len(record[1]) + 100
        if size >= RUN:
            run.sort(key=itemgetter(0))
            yield run
            run, size = [], 0
    run.sort(key=itemgetter(0))
    yield run


def _spilled(run: list[Named], path: Path) -> Path:
    with path.open("wb") as out:
        for start in range(0, len(run), BATCH):
            marshal.dump(run[start : start + BATCH], out)
    return path


def _read(path: Path) -> Iterator[Named]:
    with path.open("rb") as run:
        while True:
            try:
                batch: list[Named] = marshal.load(run)  # noqa: S302 - our own spill, in a folder of ours
            except EOFError:
                return
            yield from batch
