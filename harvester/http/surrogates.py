r"""Halves of surrogate pairs in JSON (`\ud83d` alone): disguised so that a page can be read, then revealed.

They come from software that cuts texts by UTF-16 units. RFC 8259, section 8.2, allows them in the grammar
and calls what readers make of them unpredictable: most refuse the whole file, so such records are flaws.
"""

from __future__ import annotations

import re

WHY = "half of a surrogate pair in a text"

# Every escape is consumed, so that `\\ud83d` (a backslash, then letters) is not taken for one.
_HALF = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD])([89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# As far into the private use area as the halves stand among the surrogates: \ud83d <-> \ue83d.
_DISGUISE = re.compile(rb"\\(?:u([eE])([89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)


def disguise(body: bytes) -> bytes | None:
    """The same bytes with each half as a private character; None where that can't be taken back."""
    if any(match[1] for match in _DISGUISE.finditer(body)):
        return None
    disguised = _HALF.sub(lambda match: _swap(match, {b"d": b"e", b"D": b"E"}), body)
    return None if disguised == body else disguised


def reveal(record: bytes) -> bytes:
    """The record as it was sent."""
    return _DISGUISE.sub(lambda match: _swap(match, {b"e": b"d", b"E": b"D"}), record)


def _swap(match: re.Match[bytes], letters: dict[bytes, bytes]) -> bytes:
    return b"\\u" + letters[match[1]] + match[2] if match[1] else match[0]
