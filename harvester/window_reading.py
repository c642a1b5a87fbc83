"""Reading one collection by limit and offset: the life of a page, from its window to its lines.

    wanted -> (permit -> token -> HTTP -> check) -> received -> in order, joined, new rows -> write

Pages fly concurrently, a bounded number at once, and are put back in offset order before anything is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from harvester.collection import Collection
from harvester.errors import HarvesterError, QuotaError, UnreachableError
from harvester.history import History, opening_note, page_note
from harvester.lines import Target
from harvester.model import Certificate, Page, Window
from harvester.paging.certificate import twice_alike
from harvester.paging.pager import Ahead, HistoryNeeded, Pager, Ready
from harvester.sinks.page_journal import StaleError

WIDTH = 8
"""Pages of one pull in flight at once; the governor may allow fewer."""
SMALL = 4
"""Pages up to which a collection is small: read twice where nothing else can vouch for it."""
KIND = "windows"
"""What a journal calls this way of reading."""
HOPELESS = 8
"""Windows that may fail before the first success: beyond, it is not a bad record but a broken collection."""


async def read_windows(collection: Collection, target: Target, history: History | None = None) -> Certificate:
    """Read a collection to its end, or go on where an earlier process stopped.

    Raises `OffsetIgnoredError` when another offset brings the same rows, and `StaleError` for a history that
    is not of this collection.
    """
    small = Small(target)
    pager = await _read(collection, small, history)
    certificate = pager.certificate()
    if certificate.verdict != "uncertified" or pager.evidence.poisoned or pager.evidence.refuted:
        return certificate
    if small.rows is None:
        return certificate
    again = Small(None)
    await _read(collection, again)
    return twice_alike(certificate) if again.rows == small.rows else certificate


@dataclass(slots=True)
class Small:
    """Remembers the rows of a collection while it is small, and passes them on."""

    target: Target | None
    rows: dict[str, bytes] | None = field(default_factory=dict)
    """Id -> version; None once the collection is not small any more."""
    pages: int = 0

    async def write(self, page: Page, rows: Sequence[int]) -> None:
        self.see(page, rows)
        if self.target is not None:
            await self.target.write(page, rows)

    def see(self, page: Page, rows: Sequence[int]) -> None:
        """Remember rows that are written already, or will be."""
        self.pages += 1
        if self.rows is not None:
            self.rows.update((page.ids[row], bytes(page.versions[row])) for row in rows)
            if self.pages > SMALL:
                self.rows = None

    def note(self, entry: dict[str, Any]) -> None:
        if self.target is not None:
            self.target.note(entry)

    async def ids_written(self) -> list[str]:
        return list(self.rows or ()) if self.target is None else await self.target.ids_written()


async def _read(collection: Collection, target: Small, history: History | None = None) -> Pager:
    failure: HarvesterError | None = None
    with _Flight(collection) as flight:
        if history is None:
            pager = await flight.take_off()
            target.note(opening_note(collection, KIND))
        else:
            pager = await _relive(collection, target, history)
            flight.took_off()
        async with anyio.create_task_group() as group:
            try:
                while True:
                    await _write_ready(collection, pager, target)
                    if pager.done:
                        break
                    for window in pager.wanted():
                        flight.send_for(window, group)
                    await flight.land(pager)
            except HarvesterError as error:
                failure = error  # raised outside of the group, which would wrap it
                if isinstance(error, QuotaError):  # what was asked for before is paid for: keep it
                    await flight.land_the_rest(pager)
                    await _write_ready(collection, pager, target)
            group.cancel_scope.cancel()  # pages asked for ahead that turned out not to be needed
    if failure is not None:
        raise failure
    pager.evidence.max_age = collection.tally.max_age
    for note in collection.notes:
        pager.note(note)
    return pager


async def _write_ready(collection: Collection, pager: Pager, target: Target) -> None:
    while True:
        try:
            for ready in pager.ready():
                await target.write(ready.page, ready.rows)
                more = {"confirms": ready.confirms, "holes": ready.holes, "patch": ready.patch}
                note = page_note(ready.page, ready.rows, collection.tally, **more, ahead=pager.ahead)
                target.note(note)
        except HistoryNeeded:
            pager.remember(await target.ids_written())
        else:
            return


async def _relive(collection: Collection, small: Small, history: History) -> Pager:
    """A pager that has seen what an earlier process saw."""
    history.restore(collection)
    pager = _pager_for(collection)
    ahead: Ahead | None = None
    async for taken in history.pages():
        said = taken.note
        ready = Ready(
            taken.page, taken.rows, said["confirms"], tuple(said["holes"]), said.get("patch", False)
        )
        try:
            rows = pager.replay(ready)
        except HistoryNeeded:
            pager.remember(await history.ids_before(taken))
            rows = pager.replay(ready)
        if rows != taken.rows:
            raise StaleError("its pages can't be followed")
        small.see(taken.page, rows)
        ahead = taken.note["ahead"]
    if ahead is not None:
        pager.go_on(ahead)
    return pager


def _pager_for(collection: Collection) -> Pager:
    spelling = collection.spelling
    return Pager(
        spelling.page_size,
        width=WIDTH,
        order_asked=spelling.order,
        trust_total="filter" not in spelling.extra,
    )


class _Flight:
    """The pages of one collection that are on their way."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._landed = 0
        self._failed = 0
        self._out = 0
        self._send, self._receive = anyio.create_memory_object_stream[Page | tuple[Window, HarvesterError]](
            WIDTH
        )

    async def take_off(self) -> Pager:
        """Find the spelling that works, with the first page; a pager that has it."""
        first: Page | UnreachableError
        try:
            first = await self._collection.first()
        except UnreachableError as error:
            first = error
        pager = _pager_for(self._collection)
        (window,) = pager.wanted()
        if isinstance(first, Page):
            self._landed += 1
            pager.received(first)
        else:
            self._stumble(window, first, pager)
        return pager

    def took_off(self) -> None:
        """An earlier process has landed the first pages."""
        self._landed = 1

    def send_for(self, window: Window, group: TaskGroup) -> None:
        """Let a page be fetched; `land` gives what came of it."""
        self._out += 1
        group.start_soon(self.fetch, window)

    async def fetch(self, window: Window) -> None:
        """One page, or its error: never raises, so that a page can't tear the group down."""
        halved = window.limit < self._collection.spelling.page_size
        try:
            page = await self._collection.page(window, attempts=2 if halved else None)
        except HarvesterError as error:
            await self._send.send((window, error))
        else:
            await self._send.send(page)

    async def land_the_rest(self, pager: Pager) -> None:
        """Wait for every page that is still out; those that fail now don't matter any more."""
        while self._out:
            landed = await self._next()
            if isinstance(landed, Page):
                pager.received(landed)

    async def _next(self) -> Page | tuple[Window, HarvesterError]:
        self._out -= 1
        return await self._receive.receive()

    async def land(self, pager: Pager) -> None:
        """Wait for the next page, and give it to the pager."""
        landed = await self._next()
        if isinstance(landed, Page):
            self._landed += 1
            pager.received(landed)
        else:
            self._stumble(*landed, pager)

    def _stumble(self, window: Window, error: HarvesterError, pager: Pager) -> None:
        """A window that can't be had: a poison page if the server serves others, else the pull's end."""
        self._failed += 1
        poison = isinstance(error, UnreachableError) and error.status == 500
        if not poison or (not self._landed and self._failed > HOPELESS):
            raise error
        pager.failed(window)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._send.close()
        self._receive.close()
