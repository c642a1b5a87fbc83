"""Reading a collection by its `next` links, for servers that page by nothing else.

One page after another, as no window can be computed. Such pages share no rows, so nothing is proved by joins:
where every id is greater than the one before, across all pages, the cursor stands at a row and the claim is
`probable`; otherwise a small collection is read twice, and a large one stays `uncertified`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from harvester.collection import Collection
from harvester.errors import CeilingError, PagingError
from harvester.lines import Target
from harvester.model import Certificate, Page
from harvester.paging.certificate import Evidence, certify, twice_alike
from harvester.paging.order import ENOUGH_PAIRS, OrderWitness
from harvester.paging.pager import MOST_PAGES, STALLED
from harvester.paging.seen import HistoryNeeded, Seen
from harvester.window_reading import SMALL


async def read_links(collection: Collection, target: Target) -> Certificate:
    """Follow `next` to the end, writing what is new. Raises `PagingError` when the links go in circles."""
    evidence, order = Evidence(), OrderWitness()
    seen = Seen(order)
    rows_read: list[tuple[str, bytes]] | None = []
    last: list[str] = []
    stalled = 0
    async for page in _pages(collection):
        evidence.pages += 1
        evidence.count_total(page.total)
        order.see([*last, *page.ids])
        last = list(page.ids[-1:])
        try:
            rows = seen.new_rows(page)
        except HistoryNeeded:
            seen.remember(await target.ids_written())
            rows = seen.new_rows(page)
        await target.write(page, rows)
        evidence.unique += len(rows)
        evidence.duplicates += len(page.ids) - len(rows)
        stalled = 0 if rows else stalled + 1
        if stalled >= STALLED:
            raise PagingError(
                f"{STALLED} linked pages in a row brought no new record",
                advice="The server's `next` links lead nowhere; ask the provider.",
            )
        if rows_read is not None:
            rows_read += zip(page.ids, page.versions, strict=True)
            rows_read = rows_read if evidence.pages <= SMALL else None
    for note in (*collection.notes, "the server pages by links alone"):
        evidence.note(note)
    return await _claim(collection, evidence, order, rows_read)


async def _claim(
    collection: Collection, evidence: Evidence, order: OrderWitness, rows: list[tuple[str, bytes]] | None
) -> Certificate:
    evidence.missing_by_id = evidence.missing_by_version = evidence.pages - 1
    certificate = certify(
        evidence, order_asked=collection.spelling.order, order_seen=order.seen, pairs=order.pairs
    )
    if certificate.verdict != "uncertified":
        return certificate
    if order.seen is not None and order.pairs >= ENOUGH_PAIRS and not evidence.duplicates:
        why = "every id is greater than the one before, from the first link to the last"
        assumed = ("the cursor stands at a row, not at a number",)
        return replace(certificate, verdict="probable", scope="all", why=why, assumptions=assumed)
    if rows is not None:
        again = [
            row async for page in _pages(collection) for row in zip(page.ids, page.versions, strict=True)
        ]
        if sorted(again) == sorted(rows):
            return twice_alike(certificate)
    return certificate


async def _pages(collection: Collection) -> AsyncIterator[Page]:
    page = await collection.first()
    offset, visited = page.end, {""}
    yield page
    while (link := page.next_link) is not None:
        if link in visited:
            raise PagingError(
                f"the `next` link behind offset {offset} leads back", advice="Ask the provider how it pages."
            )
        visited.add(link)
        if len(visited) > MOST_PAGES:
            raise CeilingError(f"more than {MOST_PAGES:,} linked pages", advice="Ask for larger pages.")
        page = await collection.follow(link, offset)
        offset = page.end
        yield page
