r"""Halves of surrogate pairs in JSON (`\ud83d` alone): disguised so that a page can be read, then revealed.

They come from software that cuts texts by UTF-16 units. RFC 8259, section 8.2, allows them in the grammar
and calls what readers make of them unpredictable: most refuse the whole file, so such records are flaws.
"""

from __future__ import annotations

import re
from itertools import count

WHY = "half of a surrogate pair in a text"

# Every escape is consumed, so that `\\ud83d` (a backslash, then letters) is not taken for one.
_HALF = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def disguise(body: bytes) -> tuple[bytes, bytes] | None:
    """The bytes with each half as plain text behind a mark, and the mark; None where there is no half."""
    mark = next(mark for number in count() if (mark := b"half-%d-" % number) not in body)
    disguised = _HALF.sub(lambda match: mark + match[1] if match[1] else match[0], body)
    return None if disguised == body else (disguised, mark)


def reveal(record: bytes, mark: bytes) -> bytes:
    """The record as it was sent."""
    return record.replace(mark, b"\\u")
