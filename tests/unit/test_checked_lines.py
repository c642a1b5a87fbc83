"""Lines that know whether they are whole, wherever they tore."""

from __future__ import annotations

import zlib

from harvester.checked_lines import bodies_of, line_of


def test_no_beginning_of_a_line_passes_for_a_whole_one() -> None:
    number = next(n for n in range(10_000) if zlib.crc32(b'{"n":%d}' % n) < 0x0FFFFFFF)
    line = line_of({"n": number})
    assert line.startswith(b"0"), "torn within such a checksum, it looks like that of nothing"
    for length in range(1, len(line) - 1):
        assert list(bodies_of(line[:length])) == [None], line[:length]
    assert list(bodies_of(line)) == [b'{"n":%d}' % number]
