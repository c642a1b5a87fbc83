"""An order by id in a collation that nobody named: learned from the rows, believed when it keeps its word.

In an order of text, two neighbours say that the character where they first differ comes before the other.
What follows from earlier pairs is foretold: a pair that agrees confirms the order, one that does not ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

MOST_CHARACTERS = 256
END = ""
"""Stands behind the last character: where it sorts is learned as well."""


class LearnedOrder:
    """The order of characters that no pair has contradicted so far."""

    def __init__(self) -> None:
        self.alive = True
        self.confirmations = 0
        """Pairs whose order had followed from others before they came: chance gives half of them."""
        self._after: dict[str, set[str]] = {}
        """Character -> all that come after it, directly or by way of others."""

    def see(self, ids: Sequence[str], known: frozenset[str]) -> None:
        """Take a page into account; pairs of two `known` ids were counted before."""
        for one, other in pairwise(ids):
            if not self.alive:
                return
            self._learn(one, other, counts=not (one in known and other in known))

    def _learn(self, one: str, other: str, *, counts: bool) -> None:
        if one == other:
            self.alive = False
            return
        first, second = next(
            ((a, b) for a, b in zip(one, other, strict=False) if a != b),
            (END, other[len(one) :][:1]) if len(one) < len(other) else (one[len(other) :][:1], END),
        )
        after = self._after.setdefault(first, set())
        if second in after:
            self.confirmations += counts
        elif first in self._after.setdefault(second, set()) or len(self._after) > MOST_CHARACTERS:
            self.alive = False
        else:
            later = {second, *self._after[second]}
            for character in [name for name, those in self._after.items() if name == first or first in those]:
                self._after[character] |= later
