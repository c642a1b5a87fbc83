"""Parts: what is read back is what was written, and the bytes depend on the records alone."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.model import Part
from harvester.sinks.frames import ENCODE, Compression, read_lines
from harvester.sinks.part import PartsWriter

T = TypeVar("T")
RECORDS = st.lists(st.binary(min_size=1, max_size=300).filter(lambda b: b"\n" not in b), max_size=60)


async def inline(call: Callable[[], T]) -> T:
    return call()


def write(
    folder: Path, records: list[bytes], page: int, compression: Compression, part_size: int
) -> tuple[Part, ...]:
    async def main() -> tuple[Part, ...]:
        writer = PartsWriter(
            folder, compression=compression, part_size=part_size, offload=inline, where="t/r"
        )
        for start in range(0, len(records), page):
            await writer.write(records[start : start + page])
        assert list(writer.written()) == records
        return await writer.finish()

    return asyncio.run(main())


@settings(max_examples=80, deadline=None)
@given(
    RECORDS,
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["gzip", "zstd", "none"]),
    st.integers(1, 3000),
)
def test_what_is_read_back_is_what_was_written_whatever_the_pages(
    records: list[bytes], page: int, other: int, compression: Compression, part_size: int
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        parts = write(Path(one), records, page, compression, part_size)
        again = write(Path(two), records, other, compression, part_size)
        assert parts == again, "the bytes depend on how the records came in pages"
        read = [line for part in parts for line in read_lines(Path(one) / part.name)]
        assert read == records
        for part in parts:
            data = (Path(one) / part.name).read_bytes()
            assert part.sha256 == hashlib.sha256(data).hexdigest()
            assert part.bytes == len(data)
            assert (Path(one) / part.name).stat().st_mode & 0o777 == 0o600
            if compression == "gzip":
                assert len(gzip.decompress(data)) == part.raw_bytes
        assert sum(part.records for part in parts) == len(records)


def test_a_gzip_member_tells_no_time() -> None:
    """Or equal pulls would not be equal bytes."""
    assert ENCODE["gzip"](b'{"sourcedId":"1"}\n')[4:8] == bytes(4)
