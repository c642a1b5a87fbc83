"""Staged parts and their journal, damaged in any way: what is gone on with is a prefix, byte for byte."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.model import Part
from harvester.sinks import part as part_module
from harvester.sinks.frames import Compression
from harvester.sinks.page_journal import PageJournal, StaleError
from harvester.sinks.part import PartsWriter

T = TypeVar("T")
PAGE = 7
ABOUT = {"pull": "oslo/users"}
COMPRESSIONS: list[Compression] = ["gzip", "zstd", "none"]


async def inline(call: Callable[[], T]) -> T:
    return call()


def writer_in(folder: Path, compression: Compression, part_size: int) -> PartsWriter:
    (folder / "staged").mkdir(exist_ok=True, mode=0o700)
    return PartsWriter(
        folder / "staged",
        compression=compression,
        part_size=part_size,
        offload=inline,
        where="oslo/users",
        journal=PageJournal(folder / "journal" / "oslo.pages", ABOUT, 1.5),
    )


async def write(writer: PartsWriter, records: list[bytes], start: int) -> None:
    for first in range(start, len(records), PAGE):
        page = records[first : first + PAGE]
        await writer.write(page)
        writer.note({"page": first})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "staged").iterdir())}


def undisturbed(
    folder: Path, records: list[bytes], compression: Compression, part_size: int
) -> tuple[Part, ...]:
    async def main() -> tuple[Part, ...]:
        writer = writer_in(folder, compression, part_size)
        await write(writer, records, 0)
        return await writer.finish()

    return asyncio.run(main())


def resumed(
    folder: Path, records: list[bytes], compression: Compression, part_size: int
) -> tuple[tuple[Part, ...], int]:
    """Go on with what lies there, to the end; the parts, and from which record on."""

    async def main() -> tuple[tuple[Part, ...], int]:
        writer = writer_in(folder, compression, part_size)
        notes = await writer.recover()
        if not notes:  # its owner stages it afresh then
            shutil.rmtree(folder / "staged")
            shutil.rmtree(folder / "journal", ignore_errors=True)
            writer = writer_in(folder, compression, part_size)
        done = writer.records
        assert [orjson.loads(note)["page"] for note in notes] == list(range(0, done, PAGE))
        assert list(writer.written()) == records[:done], "what was salvaged is not what was written"
        await write(writer, records, done)
        return await writer.finish(), done

    return asyncio.run(main())


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=80),
    stopped=st.integers(0, 80),
    compression=st.sampled_from(COMPRESSIONS),
    part_size=st.integers(100, 1500),
)
def test_whatever_is_torn_off_or_flipped_the_parts_end_as_if_nothing_had_happened(
    data: st.DataObject, sizes: list[int], stopped: int, compression: Compression, part_size: int
) -> None:
    records = [b"%d:" % i + b"x" * size for i, size in enumerate(sizes)]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_module, "FRAME", 200)
        calm, cut = Path(name, "calm"), Path(name, "cut")
        calm.mkdir(), cut.mkdir()
        expected = undisturbed(calm, records, compression, part_size)

        async def first() -> None:
            writer = writer_in(cut, compression, part_size)
            await write(writer, records[: stopped // PAGE * PAGE], 0)
            writer.abandon()

        asyncio.run(first())
        for _ in range(data.draw(st.integers(0, 2), label="damages")):
            victims = sorted(path for path in cut.rglob("*") if path.is_file() and path.stat().st_size)
            if victims:
                damage(data, victims[data.draw(st.integers(0, len(victims) - 1), label="file")])
        try:
            parts, _ = resumed(cut, records, compression, part_size)
        except StaleError:  # the journal's first line is damaged
            shutil.rmtree(cut)
            cut.mkdir()
            parts, done = resumed(cut, records, compression, part_size)
            assert done == 0
        assert parts == expected
        assert files(cut) == files(calm)


def damage(data: st.DataObject, path: Path) -> None:
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1), label="place")
    match data.draw(st.sampled_from(["torn", "flipped", "gone", "longer"]), label="damage"):
        case "torn":
            path.write_bytes(raw[:place])
        case "flipped":
            raw[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
            path.write_bytes(raw)
        case "gone":
            path.unlink()
        case "longer":
            path.write_bytes(raw + b"torn")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_frame_in_which_one_byte_was_flipped_is_not_gone_on_with(
    tmp_path: Path, compression: Compression
) -> None:
    records = [b"%d:" % i + b"x" * 50 for i in range(100)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_module, "FRAME", 500)
        for name in ("calm", "cut"):
            (tmp_path / name).mkdir()
        expected = undisturbed(tmp_path / "calm", records, compression, 10_000)

        async def first() -> None:
            writer = writer_in(tmp_path / "cut", compression, 10_000)
            await write(writer, records[:70], 0)
            writer.abandon()

        asyncio.run(first())
        (staged,) = (tmp_path / "cut" / "staged").iterdir()
        raw = bytearray(staged.read_bytes())
        raw[len(raw) // 2] ^= 1
        staged.write_bytes(raw)
        parts, done = resumed(tmp_path / "cut", records, compression, 10_000)
        assert 0 < done < 70
        assert parts == expected


def test_a_process_that_dies_again_and_again_goes_on_from_where_each_came_to(tmp_path: Path) -> None:
    records = [b"%d:" % i + b"x" * 50 for i in range(300)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_module, "FRAME", 500)
        (tmp_path / "calm").mkdir()
        expected = undisturbed(tmp_path / "calm", records, "gzip", 4000)
        done = -1

        async def life(length: int) -> int:
            writer = writer_in(tmp_path, "gzip", 4000)
            await writer.recover()
            begun = writer.records
            await write(writer, records[: begun + length], begun)
            writer.abandon()
            return begun

        for _ in range(9):
            begun = asyncio.run(life(35))
            assert begun > done
            done = begun
        parts, begun = resumed(tmp_path, records, "gzip", 4000)
        assert begun > 200
        assert parts == expected


@pytest.mark.parametrize(
    ("about", "said"), [({"pull": "bergen/users"}, "pull"), ({"pull": "oslo/users", "more": 1}, "more")]
)
def test_a_journal_of_something_else_is_refused_and_says_what_differs(
    tmp_path: Path, about: dict[str, object], said: str
) -> None:
    path = tmp_path / "oslo.pages"
    journal = PageJournal(path, ABOUT)
    journal.append([])
    journal.abandon()
    with pytest.raises(StaleError, match=said):
        PageJournal(path, about).read()


def test_a_journal_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = PageJournal(tmp_path / "oslo.pages", ABOUT, 3.5)
    journal.append([])
    journal.abandon()
    again = PageJournal(tmp_path / "oslo.pages", ABOUT)
    assert again.read() == ([], [])
    assert again.began == 3.5
    monkeypatch.setattr("harvester.sinks.page_journal.SCHEMA_VERSION", 2)
    with pytest.raises(StaleError, match="version 1"):
        again.read()
