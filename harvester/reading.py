"""Reading a collection, whichever way its server pages: by windows, by another spelling of them, by links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from harvester import link_reading
from harvester.collection import Collection
from harvester.history import History
from harvester.lines import Target
from harvester.link_reading import read_links
from harvester.model import Certificate
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


async def go_on_reading(collection: Collection, history: History) -> Certificate:
    """Read on where an earlier process of the run stopped. Raises `StaleError` where that is not possible."""
    read = read_links if history.kind == link_reading.KIND else read_windows
    try:
        return await read(collection, history.lines, history)
    except OffsetIgnoredError:
        raise StaleError("the server ignores the offset") from None
