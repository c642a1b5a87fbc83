"""Lines that know whether they are whole: `crc32 <tab> JSON`, one an entry, for journals.

A torn last line (power cut, full disk) and a flipped byte are seen by the checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import orjson


def line_of(entry: dict[str, Any]) -> bytes:
    """An entry as a line, its line feed included."""
    return checked(orjson.dumps(entry))


def checked(body: bytes) -> bytes:
    """The same for an entry that is JSON already."""
    return b"%08x\t%s\n" % (zlib.crc32(body), body)


def bodies_of(raw: bytes) -> Iterator[bytes | None]:
    """The JSON of each line; None for one that is not whole."""
    for line in raw.split(b"\n"):
        if not line:
            continue
        checksum, tab, body = line.partition(b"\t")
        if not tab:  # torn within the checksum, whose first digits may be that of nothing: 0
            yield None
            continue
        try:
            yield body if int(checksum, 16) == zlib.crc32(body) else None
        except ValueError:
            yield None
