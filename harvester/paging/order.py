"""In which order does the server list its rows? Watched, never asked: page by page, in O(1) memory.

An order by id is what makes a chain of joins a proof for all rows (see `certificate`), so it is only
believed on evidence: every page strictly ascending in one collation, over at least `ENOUGH_PAIRS` neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

ENOUGH_PAIRS = 20
"""Fewer ascending pairs happen by chance: with five, 2 of 20,000 unordered tables were taken for ordered."""


_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]+")


def _linguistic(row_id: str) -> tuple[str, str]:
    """Punctuation counts only between equals, as the default collations of several databases have it."""
    folded = row_id.casefold()
    return _NOT_ALPHANUMERIC.sub("", folded), folded


def _number(row_id: str) -> tuple[int, int | str]:
    return (0, int(row_id)) if row_id.isascii() and row_id.isdigit() else (1, row_id)


Collation = Callable[[str], Any]  # keys only ever meet keys of the same collation

COLLATIONS: dict[str, Collation] = {
    "codepoint": str,
    "case-insensitive": str.casefold,
    "punctuation-last": _linguistic,
    "numeric": _number,
}


class OrderWitness:
    """Rules out collations as pages come by; what is left at the end was seen in every page."""

    def __init__(self) -> None:
        self._alive = dict(COLLATIONS)
        self.pairs = 0

    def see(self, ids: Sequence[str]) -> None:
        """Take one page's ids, in the server's order, into account."""
        if len(ids) < 2 or not self._alive:
            return
        self.pairs += len(ids) - 1
        if len(set(ids)) != len(ids):
            self._alive.clear()
            return
        self._alive = {name: key for name, key in self._alive.items() if _ascends(ids, key)}

    @property
    def collation(self) -> Collation | None:
        """The key of an order that no page has contradicted, if there is one."""
        return next(iter(self._alive.values()), None)

    @property
    def contradicted(self) -> bool:
        """Whether no collation explains what was seen."""
        return not self._alive

    @property
    def seen(self) -> str | None:
        """The order in words, once there is enough evidence for it: `sourcedId asc (codepoint)`."""
        if self.pairs < ENOUGH_PAIRS or not self._alive:
            return None
        return f"id asc ({next(iter(self._alive))})"


def _ascends(ids: Sequence[str], key: Collation) -> bool:
    if key == str:  # noqa: E721 - the function, not the type: the common case, without calling it
        return sorted(ids) == list(ids)
    return all(a < b for a, b in pairwise(map(key, ids)))
