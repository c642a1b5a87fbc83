"""Rewriting staged records: the bytes are those of a pull that had read them so in the first place."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.lines import Lines
from harvester.model import Part
from harvester.sinks.frames import read_lines
from harvester.sinks.part import PartsWriter
from tests.property.test_parts import inline

IDS = st.lists(st.integers(0, 99), unique=True, max_size=40)


def record(number: int, version: int) -> bytes:
    status = "tobedeleted" if (number + version) % 7 == 0 else "active"
    return b'{"sourcedId":"%d","status":"%s","n":%d}' % (number, status.encode(), version)


def staged(
    folder: Path, records: list[bytes], newer: dict[str, bytes], size: int
) -> tuple[tuple[Part, ...], int, int]:
    """Parts, how many records were added, and how many are tombstones."""

    async def main() -> tuple[tuple[Part, ...], int, int]:
        writer = PartsWriter(folder, compression="gzip", part_size=size, offload=inline, where="t/r")
        await writer.write(records)
        lines = Lines(writer, ("sourcedId",))
        writer.tombstones = sum(b"tobedeleted" in line for line in records)
        added = await lines.replace(newer)
        return await writer.finish(), added, writer.tombstones

    return asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(IDS, IDS, st.integers(1, 3000), st.booleans())
def test_replaced_records_lie_as_if_they_had_been_read_so(
    before: list[int], changed: list[int], size: int, same: bool
) -> None:
    old = [record(number, 1) for number in before]
    newer = {str(number): record(number, 1 if same else 2) for number in changed}
    expected = [newer.get(str(number), record(number, 1)) for number in before]
    expected += [newer[str(number)] for number in changed if number not in before]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        parts, added, tombstones = staged(Path(one), old, newer, size)
        assert [line for part in parts for line in read_lines(Path(one) / part.name)] == expected
        assert parts == staged(Path(two), expected, {}, size)[0]
        assert {path.name for path in Path(one).iterdir()} == {part.name for part in parts}, "nothing else"
        assert added == len(set(changed) - set(before))
        assert tombstones == sum(b"tobedeleted" in line for line in expected)
