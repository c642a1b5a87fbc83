"""The orders of text that real servers use, as sort keys: any of them may be the order of an id.

Each takes the ids of a whole page at once, as a string method on all of them is quicker than one on each, and
raises ValueError where an id has no key. Where a page's ids are plain (`alike`), most of them agree.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from operator import lt
from typing import Any
from uuid import UUID

Keys = list[Any]  # keys of one collation only ever meet their own kind
Collation = Callable[[Sequence[str]], Keys]

_NO_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation + " "))
_NO_HYPHENS = dict.fromkeys(map(ord, "-'"))
_UNICODE_ORDER = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"
"""Of ASCII, as the Unicode collation algorithm has it: punctuation, symbols, digits, letters."""
_WEIGHTS = str.maketrans({char: chr(1 + weight) for weight, char in enumerate(" " + _UNICODE_ORDER)})
_HYPHENS = (8, 13, 18, 23)
_LOWER = (string.digits + string.ascii_lowercase).encode()
_UPPER = (string.digits + string.ascii_uppercase).encode()


def _codepoint(ids: Sequence[str]) -> Keys:
    return list(ids)


def _case_insensitive(ids: Sequence[str]) -> Keys:
    return "\0".join(ids).casefold().split("\0")


def _upper_cased(ids: Sequence[str]) -> Keys:
    """Letters before the underscore, as databases have it that compare in capitals."""
    return "\0".join(ids).upper().split("\0")


def _punctuation_last(ids: Sequence[str]) -> Keys:
    """Punctuation counts only between equals, as the default collations of several databases have it."""
    folded = "\0".join(ids).casefold()
    return list(zip(folded.translate(_NO_PUNCTUATION).split("\0"), folded.split("\0"), strict=True))


def _unicode(ids: Sequence[str]) -> Keys:
    """Like the Unicode collation algorithm, and ICU: small before capital letters, between equals alone."""
    whole = "\0".join(ids)
    primary = whole.casefold().translate(_WEIGHTS).split("\0")
    return list(zip(primary, whole.swapcase().split("\0"), strict=True))


def _word_sort(ids: Sequence[str]) -> Keys:
    """Windows and SQL Server for nvarchar: like Unicode, hyphens and apostrophes only between equals."""
    folded = "\0".join(ids).casefold()
    primary = folded.translate(_NO_HYPHENS).translate(_WEIGHTS).split("\0")
    return list(zip(primary, folded.split("\0"), strict=True))


def _length_then_text(ids: Sequence[str]) -> Keys:
    return [(len(row_id), row_id) for row_id in ids]


def _numeric(ids: Sequence[str]) -> Keys:
    return [int(row_id) for row_id in ids]


def _natural(ids: Sequence[str]) -> Keys:
    """Runs of digits as numbers: u9 before u10."""
    return [
        [(piece.isdigit(), int(piece) if piece.isdigit() else piece) for piece in _RUNS.findall(row_id)]
        for row_id in ids
    ]


_RUNS = re.compile(r"[0-9]+|[^0-9]+")


def _uniqueidentifier(ids: Sequence[str]) -> Keys:
    """SQL Server compares the six last bytes first, and each earlier group after those behind it."""
    stored = [UUID(row_id).bytes_le for row_id in ids]
    return [guid[10:] + guid[8:10] + guid[6:8] + guid[4:6] + guid[:4] for guid in stored]


def _signed_halves(ids: Sequence[str]) -> Keys:
    """Java compares a UUID as two signed numbers: 8 to f come before 0 to 7."""
    flip = (1 << 127) | (1 << 63)
    return [UUID(row_id).int ^ flip for row_id in ids]


COLLATIONS: dict[str, Collation] = {
    "codepoint": _codepoint,
    "case-insensitive": _case_insensitive,
    "upper-cased": _upper_cased,
    "punctuation-last": _punctuation_last,
    "unicode": _unicode,
    "word sort": _word_sort,
    "numeric": _numeric,
    "length, then text": _length_then_text,
    "natural": _natural,
    "uniqueidentifier": _uniqueidentifier,
    "uuid, signed halves": _signed_halves,
}

LIKE_CODEPOINT = frozenset(
    {
        "codepoint",
        "case-insensitive",
        "upper-cased",
        "punctuation-last",
        "unicode",
        "word sort",
        "length, then text",
    }
)
"""Those that can't differ where ids are `alike`."""


def alike(ids: Sequence[str]) -> bool:
    """Whether ids are digits and letters of one case, equally long, with hyphens in a UUID's places alone."""
    size = len(ids[0])
    if set(map(len, ids)) != {size}:
        return False
    whole = "".join(ids).encode("utf-8", "surrogatepass")
    hyphens = b"-" * len(ids)
    apart = 4 * hyphens if size == 36 and all(whole[place::36] == hyphens for place in _HYPHENS) else b""
    return whole.translate(None, _LOWER) == apart or whole.translate(None, _UPPER) == apart


def agreeing(ids: Sequence[str]) -> frozenset[str]:
    """The collations that can't differ for ids that are `alike` and stand in order of their code points."""
    halves = len(ids[0]) == 36 and (ids[0][0] < "8") == (ids[-1][0] < "8")
    return LIKE_CODEPOINT | {"uuid, signed halves"} if halves else LIKE_CODEPOINT


class Mirrored:
    """A key of a descending order."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __lt__(self, other: Mirrored) -> bool:
        return bool(other.key < self.key)


def descending(collation: Collation) -> Collation:
    """The same order, backwards."""
    return lambda ids: [Mirrored(key) for key in collation(ids)]


def way(ids: Sequence[str], collation: Collation) -> int:
    """1 where ids strictly ascend in a collation, -1 where they strictly descend, 0 where they do neither."""
    try:
        keys = collation(ids)
    except ValueError:  # an id that this collation has no key for
        return 0
    if len(keys) != len(ids):  # an id that holds the separator
        return 0
    if len(keys) < 2:
        return 2  # says nothing
    if keys[0] < keys[1]:
        return 1 if all(map(lt, keys, keys[1:])) else 0
    return -1 if all(map(lt, keys[1:], keys)) else 0
