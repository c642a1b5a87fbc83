"""Which rows of a page were written before? In O(pages) memory while the order by id holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b

from harvester.model import Page
from harvester.paging.collations import Collation
from harvester.paging.order import OrderWitness

RECENT = 4
"""Pages whose ids are kept. Rows that reappear further back than this mean a shift by pages, not by rows."""


class HistoryNeeded(Exception):  # noqa: N818 - a question to the caller, not an error
    """The order broke: only the ids written so far can tell what is new. Give them to `Seen.remember`."""


class Seen:
    """Tells the rows that no earlier page gave.

    While every page ascends by id, a row above all those of the pages no longer held is new unless a page
    still held has it: nothing else is kept. Where the order does not hold, every id is kept as a 16-byte
    digest (about 100 bytes a row in memory).
    """

    def __init__(self, order: OrderWitness) -> None:
        self._order = order
        self._recent: deque[tuple[frozenset[str], str | None]] = deque()
        """Ids of a page, and the last of them that says something of the order."""
        self._high: str | None = None
        self._forgotten: str | None = None
        """The highest id of the pages that are not held any more."""
        self._collation: Collation | None = None
        self._digests: set[bytes] | None = None
        self._written = 0

    def remember(self, ids: Iterable[str]) -> None:
        """Go on by digests, with the ids that were written so far."""
        self._digests = {_digest(row_id) for row_id in ids}
        for recent, _ in self._recent:  # flawed rows are not among those written
            self._digests.update(map(_digest, recent))

    def new_rows(self, page: Page) -> list[int]:
        """Numbers of the rows to write. Raises `HistoryNeeded` before anything is changed."""
        if self._digests is None:
            collation = self._order.collation
            usable = collation is not None and self._collation in (None, collation)
            rows = self._by_order(page, collation) if collation is not None and usable else None
            if rows is None:
                if self._written:
                    raise HistoryNeeded
                self._digests = set()
            else:
                self._note(page, rows, collation)
                return rows
        return self._by_digest(page)

    def _by_order(self, page: Page, collation: Collation) -> list[int] | None:
        """The new rows, or None when the order can't tell."""
        ids, flaws = page.ids, page.flaws
        if not ids:
            return []
        if self._high is None:
            return [i for i, row_id in enumerate(ids) if not self._held(row_id)]
        high, first = collation([self._high, ids[0] if not flaws else self._high])
        if high < first:
            return list(range(len(ids)))
        forgotten = None if self._forgotten is None else collation([self._forgotten])[0]
        rows: list[int] = []
        for i, row_id in enumerate(ids):
            if self._held(row_id):
                continue
            if i not in flaws:
                (mark,) = collation([row_id])
                if high < mark and not flaws:
                    rows.extend(range(i, len(ids)))  # the page ascends: so do all that follow
                    break
                # Not held and above all that is forgotten: inserted after we had read there.
                if forgotten is not None and not forgotten < mark:
                    return None
            rows.append(i)
        return rows

    def _held(self, row_id: str) -> bool:
        return any(row_id in recent for recent, _ in self._recent)

    def _note(self, page: Page, rows: list[int], collation: Collation | None) -> None:
        assert collation is not None
        self._collation = collation
        sound = (
            [row_id for i, row_id in enumerate(page.ids) if i not in page.flaws] if page.flaws else page.ids
        )
        if not page.ids:
            return
        last = sound[-1] if sound else None
        self._recent.append((frozenset(page.ids), last))
        self._high = _highest(collation, self._high, last)
        if len(self._recent) > RECENT:
            self._forgotten = _highest(collation, self._forgotten, self._recent.popleft()[1])
        self._written += len(rows)

    def _by_digest(self, page: Page) -> list[int]:
        digests = self._digests
        assert digests is not None
        rows: list[int] = []
        for i, row_id in enumerate(page.ids):
            digest = _digest(row_id)
            if digest not in digests:
                digests.add(digest)
                rows.append(i)
        self._written += len(rows)
        return rows


def _highest(collation: Collation, one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return other if one is None else one
    mark, another = collation([one, other])
    return other if mark < another else one


def _digest(row_id: str) -> bytes:
    return blake2b(row_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
