"""In which order does the server list its rows? Watched, never asked: page by page, in O(1) memory.

An order by id is what makes a chain of joins a proof for all rows (see `certificate`), so it is only
believed on evidence: every page strictly ascending in one collation, over at least `ENOUGH_PAIRS` neighbours.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

ENOUGH_PAIRS = 20
"""Fewer ascending pairs happen by chance: with five, 2 of 20,000 unordered tables were taken for ordered."""

Keys = list[Any]  # keys of one collation only ever meet their own kind
Collation = Callable[[Sequence[str]], Keys]
"""Sort keys of a whole page at once: a string method on all ids is quicker than one on each."""

_NO_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation + " "))


def _codepoint(ids: Sequence[str]) -> Keys:
    return list(ids)


def _case_insensitive(ids: Sequence[str]) -> Keys:
    return "\0".join(ids).casefold().split("\0")


def _punctuation_last(ids: Sequence[str]) -> Keys:
    """Punctuation counts only between equals, as the default collations of several databases have it."""
    folded = "\0".join(ids).casefold()
    return list(zip(folded.translate(_NO_PUNCTUATION).split("\0"), folded.split("\0"), strict=True))


def _numeric(ids: Sequence[str]) -> Keys:
    return [int(row_id) for row_id in ids]


COLLATIONS: dict[str, Collation] = {
    "codepoint": _codepoint,
    "case-insensitive": _case_insensitive,
    "punctuation-last": _punctuation_last,
    "numeric": _numeric,
}


class OrderWitness:
    """Rules out collations as pages come by; what is left at the end was seen in every page."""

    def __init__(self) -> None:
        self._alive = dict(COLLATIONS)
        self.pairs = 0

    def see(self, ids: Sequence[str]) -> None:
        """Take one page's ids, in the server's order, into account."""
        if not ids:
            return
        self.pairs += len(ids) - 1
        self._alive = {name: keys for name, keys in self._alive.items() if _ascends(ids, keys)}

    @property
    def collation(self) -> Collation | None:
        """The keys of an order that no page has contradicted, if there is one."""
        return next(iter(self._alive.values()), None)

    @property
    def seen(self) -> str | None:
        """The order in words, once there is enough evidence for it: `id asc (codepoint)`."""
        if self.pairs < ENOUGH_PAIRS or not self._alive:
            return None
        return f"id asc ({next(iter(self._alive))})"


def _ascends(ids: Sequence[str], collation: Collation) -> bool:
    try:
        keys = collation(ids)
    except ValueError:  # an id that this collation has no key for
        return False
    if len(keys) != len(ids):  # an id that holds the separator
        return False
    return all(a < b for a, b in pairwise(keys))
