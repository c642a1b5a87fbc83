"""In which order does the server list its rows? Watched, never asked: page by page, in O(1) memory.

An order by id is what makes a chain of joins a proof for all rows (see `certificate`), so it is only believed
on evidence: every page strictly ascending, or descending, in one collation, over at least `ENOUGH_PAIRS`
neighbours that were not counted before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from harvester.paging.collations import COLLATIONS, Collation, agreeing, alike, descending, way
from harvester.paging.learned import LearnedOrder

ENOUGH_PAIRS = 25
"""Chance orders half of all pairs rightly: with 13 orders in 2 directions, all of 25 in 8 of 10^7 cases."""
LEARNING = 2_000
"""Rows up to which an unnamed order is learned beside the named ones."""

_WAYS = {1: "asc", -1: "desc"}


class OrderWitness:
    """Rules out orders as pages come by; what is left at the end was seen in every page."""

    def __init__(self, *, asked: bool = False) -> None:
        """`asked`: an order by id was asked for, and not refused."""
        self._asked = asked
        self._ways = dict.fromkeys(COLLATIONS, 0)
        """Collations that no page has contradicted -> 1 ascending, -1 descending, 0 not known yet."""
        self._backwards: dict[str, Collation] = {}
        self._learned: LearnedOrder | None = LearnedOrder()
        self._dates = _DateOrder()
        self._recent: deque[frozenset[str]] = deque(maxlen=4)
        self._rows = 0
        self.pairs = 0

    def see(self, ids: Sequence[str], versions: Sequence[bytes] = ()) -> None:
        """Take one page's ids, in the server's order, into account, and the rows' dates."""
        if not ids:
            return
        known: frozenset[str] = frozenset()
        fresh = len(ids) - 1
        if self._rows < LEARNING:  # beyond, a pair more or less is nothing
            known, mine = known.union(*self._recent), frozenset(ids)
            fresh = min(fresh, len(mine - known)) if known else fresh
            self._recent.append(mine)
        self.pairs += fresh
        self._rows += len(ids)
        if self._ways:
            self._compare(ids)
        self._learn(ids, known)
        self._dates.see(versions, fresh)

    def _compare(self, ids: Sequence[str]) -> None:
        seen = {}
        plain = way(ids, COLLATIONS["codepoint"]) if alike(ids) else 0
        agree = agreeing(ids) if plain else ()
        for name, before in self._ways.items():
            now = plain if name in agree else way(ids, COLLATIONS[name])
            if now == 2 or (now and before in (0, now)):
                seen[name] = before if now == 2 else now
        self._ways = seen

    def _learn(self, ids: Sequence[str], known: frozenset[str]) -> None:
        if self._learned is None:
            return
        if self._ways and self._rows > LEARNING:
            self._learned = None  # from here on it would not see every page
            return
        self._learned.see(ids, known)
        if not self._learned.alive:
            self._learned = None

    @property
    def collation(self) -> Collation | None:
        """The keys of a named order that no page has contradicted, if there is one; they ascend."""
        for name, direction in self._ways.items():
            if direction >= 0:
                return COLLATIONS[name]
            return self._backwards.setdefault(name, descending(COLLATIONS[name]))
        return None

    @property
    def by_id(self) -> bool:
        """Whether there is evidence enough for an order by id.

        Where nobody asked for one and the dates stand in order as well, it may be theirs: then it is not.
        """
        return self._of_ids is not None and (self._asked or self._dates.seen is None)

    @property
    def by_date(self) -> bool:
        return not self.by_id and self._dates.seen is not None

    @property
    def seen(self) -> str | None:
        """The order in words, once there is enough evidence for it: `id asc (codepoint)`."""
        return self._of_ids if self.by_id else self._dates.seen

    @property
    def _of_ids(self) -> str | None:
        if self.pairs >= ENOUGH_PAIRS and self._ways:
            name, direction = next(iter(self._ways.items()))
            return f"id {_WAYS[direction or 1]} ({name})"
        if self._learned is not None and self._learned.confirmations >= ENOUGH_PAIRS:
            return "id (in a collation learned from the rows)"
        return None


class _DateOrder:
    """Whether the rows stand in order of `dateLastModified`; equal dates say nothing."""

    def __init__(self) -> None:
        self._ways = {1, -1}
        self._pairs = 0

    def see(self, versions: Sequence[bytes], fresh: int) -> None:
        """`fresh`: at most so many pairs are new."""
        if not self._ways or not versions:
            return
        dates = list(versions)
        if dates[0] and dates.count(dates[0]) == len(dates):
            return
        if b"" in dates:
            self._ways = set()
            return
        self._pairs += min(fresh, len(set(dates)) - 1)
        ascending = sorted(dates)
        self._ways -= {1} if dates != ascending else set()
        self._ways -= {-1} if dates[::-1] != ascending else set()

    @property
    def seen(self) -> str | None:
        if len(self._ways) != 1 or self._pairs < ENOUGH_PAIRS:
            return None
        return f"dateLastModified {_WAYS[next(iter(self._ways))]}"
