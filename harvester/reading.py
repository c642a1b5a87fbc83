"""Reading a collection, whichever way its server pages: by id, by windows in some spelling, by links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from harvester import keyset_reading, link_reading
from harvester.collection import Collection
from harvester.dialects import Finding
from harvester.history import History
from harvester.keyset_reading import Choice, go_on_keyset, read_keyset
from harvester.lines import Lines, Target
from harvester.link_reading import read_links
from harvester.model import Certificate
from harvester.paging.keyset import KeysetBrokenError
from harvester.paging.pager import OffsetIgnoredError
from harvester.sinks.page_journal import StaleError
from harvester.window_reading import read_windows

SomeTarget = TypeVar("SomeTarget", bound=Target)


async def read_collection(
    collection: Collection, fresh: Callable[[], Awaitable[SomeTarget]]
) -> tuple[SomeTarget, Certificate]:
    """Read `collection` to its end into a target, and say what that is worth.

    `fresh` gives an empty target: a server that ignores our offset is only found out by its second page, and
    then all begins again in another spelling. Raises `PagingError` when no way of paging works.
    """
    while True:
        target = await fresh()
        try:
            return target, await read_windows(collection, target)
        except OffsetIgnoredError:
            if collection.links:
                target = await fresh()
                return target, await read_links(collection, target)
            if not collection.respell():
                raise


async def read_best(choice: Choice, fresh: Callable[[], Awaitable[Lines]]) -> tuple[Lines, Certificate]:
    """The same for a collection that may be read by id, where that is proved to work."""
    collection = choice.collection
    finding = await choice.finding()
    if finding is not None and finding.proof is not None:
        try:
            target = await fresh()
            return target, await read_keyset(collection, target, finding.proof, choice.size or 0)
        except KeysetBrokenError as broken:
            await choice.remember(Finding(None, str(broken)))
            collection.notes.append(f"reading by id was given up: {broken}")
    elif finding is not None:
        collection.notes.append(f"not read by id: {finding.why}")
    return await read_collection(collection, fresh)


async def go_on_reading(collection: Collection, history: History, choice: Choice | None) -> Certificate:
    """Read on where an earlier process of the run stopped. Raises `StaleError` where that is not possible."""
    if history.kind == keyset_reading.KIND:
        try:
            return await go_on_keyset(collection, history)
        except KeysetBrokenError as broken:
            if choice is not None:
                await choice.remember(Finding(None, str(broken)))
            raise StaleError(f"reading by id was given up: {broken}") from None
    read = read_links if history.kind == link_reading.KIND else read_windows
    try:
        return await read(collection, history.lines, history)
    except OffsetIgnoredError:
        raise StaleError("the server ignores the offset") from None
