"""Reading a collection by its `next` links, for servers that page by nothing else.

One page after another, as no window can be computed. Such pages share no rows, so nothing is proved by joins:
where every id is greater than the one before, across all pages, the cursor stands at a row and the claim is
`probable`; otherwise a small collection is read twice, and a large one stays `uncertified`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from harvester.collection import Collection
from harvester.errors import CeilingError, PagingError, RefusedError
from harvester.history import History, opening_note, page_note
from harvester.lines import Target
from harvester.model import Certificate, Page
from harvester.paging.certificate import Evidence, certify, twice_alike
from harvester.paging.order import OrderWitness
from harvester.paging.pager import MOST_PAGES, STALLED
from harvester.paging.seen import HistoryNeeded, Seen
from harvester.sinks.page_journal import StaleError
from harvester.window_reading import SMALL

KIND = "links"
"""What a journal calls this way of reading."""


async def read_links(collection: Collection, target: Target, history: History | None = None) -> Certificate:
    """Follow `next` to the end, writing what is new, or go on where an earlier process stopped.

    Raises `PagingError` when the links go in circles, and `StaleError` for a history that can't be followed.
    """
    chain = _Chain(target)
    if history is None:
        page = await collection.first()
        target.note(opening_note(collection, KIND))
        await chain.take(page)
        chain.note(page, collection)
    else:
        page = await chain.relive(collection, history)
    async for following in _pages_behind(collection, page, resumed=history is not None):
        await chain.take(following)
        chain.note(following, collection)
    for note in (*collection.notes, "the server pages by links alone"):
        chain.evidence.note(note)
    return replace(await _claim(collection, chain), strategy="links")


@dataclass(slots=True)
class _Chain:
    """Linked pages, one after the other, and what can be said of them."""

    target: Target
    evidence: Evidence = field(default_factory=Evidence)
    order: OrderWitness = field(default_factory=OrderWitness)
    rows_read: list[tuple[str, bytes]] | None = field(default_factory=list)
    """All rows while the collection is small."""
    _seen: Seen = field(init=False)
    _last: list[str] = field(default_factory=list)
    _stalled: int = 0
    _new: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._seen = Seen(self.order)

    async def take(self, page: Page) -> None:
        """Write what is new of a page."""
        self._see_order(page)
        try:
            rows = self._seen.new_rows(page)
        except HistoryNeeded:
            self._seen.remember(await self.target.ids_written())
            rows = self._seen.new_rows(page)
        await self.target.write(page, rows)
        self._count(page, rows)

    async def relive(self, collection: Collection, history: History) -> Page:
        """See again what an earlier process saw; the page that it took last."""
        history.restore(collection)
        page: Page | None = None
        async for taken in history.pages():
            page = taken.page
            self._see_order(page)
            try:
                rows = self._seen.new_rows(page)
            except HistoryNeeded:
                self._seen.remember(await history.ids_before(taken))
                rows = self._seen.new_rows(page)
            if rows != taken.rows:
                raise StaleError("its pages can't be followed")
            self._count(page, rows)
        if page is None:
            raise StaleError("it holds no page")
        return page

    def note(self, page: Page, collection: Collection) -> None:
        """Tell the journal of the page that was taken last."""
        self.target.note(page_note(page, self._new, collection.tally))

    def _see_order(self, page: Page) -> None:
        self.order.see([*self._last, *page.ids])
        self._last = list(page.ids[-1:])

    def _count(self, page: Page, rows: list[int]) -> None:
        evidence = self.evidence
        evidence.pages += 1
        evidence.count_total(page.total)
        evidence.unique += len(rows)
        evidence.duplicates += len(page.ids) - len(rows)
        self._new = rows
        self._stalled = 0 if rows else self._stalled + 1
        if self._stalled >= STALLED:
            raise PagingError(
                f"{STALLED} linked pages in a row brought no new record",
                advice="The server's `next` links lead nowhere; ask the provider.",
            )
        if self.rows_read is not None:
            self.rows_read += zip(page.ids, page.versions, strict=True)
            self.rows_read = self.rows_read if evidence.pages <= SMALL else None


async def _claim(collection: Collection, chain: _Chain) -> Certificate:
    evidence, order, rows = chain.evidence, chain.order, chain.rows_read
    evidence.missing_by_id = evidence.missing_by_version = evidence.pages - 1
    certificate = certify(evidence, order, order_asked=collection.spelling.order)
    if certificate.verdict != "uncertified":
        return certificate
    if order.by_id and not evidence.duplicates:
        why = "every id is greater than the one before, from the first link to the last"
        assumed = ("the cursor stands at a row, not at a number",)
        return replace(certificate, verdict="probable", scope="all", why=why, assumptions=assumed)
    if rows is not None and sorted(await _read_again(collection)) == sorted(rows):
        return twice_alike(certificate)
    return certificate


async def _read_again(collection: Collection) -> list[tuple[str, bytes]]:
    first = await collection.first()
    rows = list(zip(first.ids, first.versions, strict=True))
    async for page in _pages_behind(collection, first):
        rows += zip(page.ids, page.versions, strict=True)
    return rows


async def _pages_behind(collection: Collection, page: Page, *, resumed: bool = False) -> AsyncIterator[Page]:
    """The pages that the links of `page`, and of those behind it, lead to."""
    visited = {""}
    while (link := page.next_link) is not None:
        if link in visited:
            raise PagingError(
                f"the `next` link behind offset {page.end} leads back",
                advice="Ask the provider how it pages.",
            )
        visited.add(link)
        if len(visited) > MOST_PAGES:
            raise CeilingError(f"more than {MOST_PAGES:,} linked pages", advice="Ask for larger pages.")
        try:
            page = await collection.follow(link, page.end)
        except RefusedError:
            if resumed:
                raise StaleError("the server does not know the link any more") from None
            raise
        resumed = False
        yield page
