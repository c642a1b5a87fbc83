"""Merging: whatever the order and size, what comes out is sorted, whole, and nothing is left on disk."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester import merging
from harvester.merging import in_order, latest, named, paired

KEY = ("sourcedId",)
IDS = st.text(min_size=1, max_size=4)
TABLES = st.dictionaries(IDS, st.integers(0, 3), max_size=40)


def lines(table: dict[str, int]) -> list[bytes]:
    return [json.dumps({"sourcedId": row_id, "v": value}).encode() for row_id, value in table.items()]


@settings(max_examples=200, deadline=None)
@given(TABLES, st.integers(1, 400), st.integers(1, 7))
def test_lines_come_sorted_by_id_and_no_spill_stays(table: dict[str, int], run: int, batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "RUN", run)
        patch.setattr(merging, "BATCH", batch)
        found = list(in_order(lambda: iter(lines(table)), KEY, spill=Path(folder, "spill")))
        assert found == sorted(zip(table, lines(table), strict=True))
        assert not [path for path in Path(folder).rglob("*") if path.is_file()]


@settings(max_examples=200, deadline=None)
@given(TABLES, TABLES)
def test_two_tables_are_paired_by_id(old: dict[str, int], new: dict[str, int]) -> None:
    def stream(table: dict[str, int]) -> Iterator[tuple[str, bytes]]:
        return iter(sorted(zip(table, lines(table), strict=True)))

    before, now = dict(stream(old)), dict(stream(new))
    expected = [(row_id, before.get(row_id), now.get(row_id)) for row_id in sorted({**old, **new})]
    assert list(paired(stream(old), stream(new))) == expected
    assert dict(latest([stream(old), stream(new)])) == before | now


def test_a_spill_is_removed_when_the_reader_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "RUN", 100)
    table = lines({str(i): i for i in range(100)})
    reading = in_order(lambda: iter(table), KEY, spill=tmp_path / "spill")
    next(reading)
    assert list((tmp_path / "spill").iterdir())
    reading.close()
    assert not list((tmp_path / "spill").iterdir())


@pytest.mark.parametrize("ascending", [True, False])
def test_memory_does_not_grow_with_the_number_of_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ascending: bool
) -> None:
    monkeypatch.setattr(merging, "RUN", 1 << 20)

    def peak(count: int) -> int:
        def read() -> Iterator[bytes]:
            numbers = range(count) if ascending else ((i * 7919) % count for i in range(count))
            return (b'{"sourcedId":"%08d","x":"%s"}' % (i, b"x" * 60) for i in numbers)

        tracemalloc.start()
        assert sum(1 for _ in in_order(read, KEY, spill=tmp_path)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small, large = peak(20_000), peak(80_000)
    assert large < max(small * 1.7, 1 << 21), (small, large)


def test_ids_that_are_numbers_and_keys_of_several_names_are_read() -> None:
    found = [b'{"id":7}', b'{"sourcedId":"a"}']
    assert [row_id for row_id, _ in named(found, ("sourcedId", "id"))] == ["7", "a"]
