"""Small questions to a provider: how many records a collection has, what dialect it speaks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harvester.access import Access
from harvester.child_reading import children_of, in_state
from harvester.collection import Collection
from harvester.dialects import Dialects, Finding
from harvester.errors import RefusedError
from harvester.http.fetch import Tally
from harvester.http.limits import DOCUMENT
from harvester.keyset_reading import Choice, is_possible
from harvester.model import Page, Pull, Window


async def count_records(access: Access, pull: Pull) -> int | None:
    """The collection's size, if its server states one; one record is asked for. None for a document."""
    resource = access.resource(pull.resource)
    if resource.shape != "pages" or resource.parent is not None:
        return None
    collection = access.collection(pull, resource, Tally())
    page = await collection.page(Window(0, 1))
    return page.total


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one collection's server was seen to do."""

    records: int
    """rows in the first page"""
    total: int | None
    limit_cap: int | None
    """rows it gives at most, where that is less than asked for"""
    links: bool
    sort: bool
    """whether it took the order asked for"""
    filter: bool | None
    """whether it filters by id; None: not tried, or nothing to try it on"""
    keyset: bool | None
    """whether it can be read by id; None: not tried, as it is small, or not wanted"""
    keyset_why: str
    """why not"""
    server_date: float | None


async def find_dialect(access: Access, pull: Pull, dialects: Dialects, now: float) -> Dialect:
    """Read one page, try one filter, and large collections by id. Raises what reading a page raises.

    What is found out about reading by id is remembered for the next runs, and taken from there.
    """
    resource = access.resource(pull.resource)
    tally = Tally()
    collection = access.collection(pull, resource, tally)
    page = await collection.peek()
    asked = collection.spelling.page_size
    by_id = await _by_id(access, pull, collection, dialects, now)
    capped = page.total is not None and len(page.ids) < min(asked, page.total)
    return Dialect(
        records=len(page.ids),
        total=page.total,
        limit_cap=len(page.ids) if capped else None,
        links=page.next_link is not None,
        sort=collection.spelling.order is not None,
        filter=await _filters(collection, page),
        keyset=None if by_id is None else by_id.proof is not None,
        keyset_why="" if by_id is None else by_id.why,
        server_date=tally.first_date,
    )


async def _by_id(
    access: Access, pull: Pull, collection: Collection, dialects: Dialects, now: float
) -> Finding | None:
    allowed = access.application.keyset
    if allowed is False or not is_possible(collection):
        return None
    asked = access.asked(pull, collection.resource)
    return await Choice(collection, dialects, asked, now, size=None, forced=allowed is True).finding()


async def _filters(collection: Collection, page: Page) -> bool | None:
    """Whether `filter=sourcedId='...'` brings that record alone."""
    if not page.ids or page.flaws or collection.resource.key != ("sourcedId",) or "'" in page.ids[0]:
        return None
    filtered = replace(
        collection,
        spelling=replace(collection.spelling, sort={}, extra={"filter": f"sourcedId='{page.ids[0]}'"}),
    )
    try:
        found = await filtered.page(Window(0, 2))
    except RefusedError:
        return False
    return list(found.ids) == [page.ids[0]]


async def reach_child(access: Access, pull: Pull) -> float | None:
    """Read the children of the first parent that should have some: the server's clock, if it states it."""
    resource, tally = access.resource(pull.resource), Tally()
    assert resource.parent is not None
    page = await access.collection(pull, access.resource(resource.parent), tally).first()
    keep = in_state(resource.parent_when)
    for parent, record in zip(page.ids, page.records, strict=True):
        if keep is None or keep(record):
            await children_of(access, pull, resource, tally, parent)
            break
    return tally.first_date


async def reach_document(access: Access, pull: Pull) -> float | None:
    """See that a document can be had, without reading it through: the server's clock, if it states it."""
    tally = Tally()

    async def begin() -> _FirstChunk:
        return _FirstChunk()

    await access.fetcher.get(
        pull,
        access.url(access.resource(pull.resource)),
        headers=access.headers,
        ceiling=DOCUMENT,
        check=lambda reply: reply.status,
        feed=begin,
        tally=tally,
    )
    return tally.first_date


class _FirstChunk:
    """Takes a body and keeps nothing of it."""

    async def __call__(self, chunk: bytes) -> None:
        del chunk
