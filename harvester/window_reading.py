"""Reading one collection by limit and offset: the life of a page, from its window to its lines.

    wanted -> (permit -> token -> HTTP -> check) -> received -> in order, joined, new rows -> write

Pages fly concurrently, a bounded number at once, and are put back in offset order before anything is written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

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
    if history is None:
        flight = await _take_off(collection, target)
        target.note(opening_note(collection, KIND))
    else:
        flight = _Flight(collection, await _relive(collection, target, history), target, landed=1)
    pager = await flight.read()
    pager.evidence.max_age = collection.tally.max_age
    for note in collection.notes:
        pager.note(note)
    return pager


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


async def _take_off(collection: Collection, target: Small) -> _Flight:
    """Find the spelling that works, with the first page."""
    first: Page | UnreachableError
    try:
        first = await collection.first()
    except UnreachableError as error:
        first = error
    flight = _Flight(collection, _pager_for(collection), target)
    (window,) = flight.pager.wanted()
    flight.land(window, first)
    return flight


class _Flight:
    """The pages of one collection on their way: a few tasks, each of which fetches one page after another.

    They share the pager, and whoever lands the page whose turn it is writes; so there is neither a task nor a
    message for a page. What a task finds to do is decided between two awaits, by the pager alone.
    """

    def __init__(self, collection: Collection, pager: Pager, target: Small, *, landed: int = 0) -> None:
        """`landed`: pages that an earlier process has had."""
        self.pager = pager
        self._collection = collection
        self._target = target
        self._landed = landed
        self._failed = 0
        self._windows: deque[Window] = deque()
        """Given out by the pager, asked for by nobody yet."""
        self._writing = False
        self._failure: HarvesterError | None = None
        self._news: anyio.Event | None = None
        """What those wait for who found nothing to do."""

    async def read(self) -> Pager:
        """Fetch and write until the end is reached; raises what ends the pull."""
        await self._write()
        async with anyio.create_task_group() as group:
            for _ in range(WIDTH):
                group.start_soon(self._work, group.cancel_scope)
        if self._failure is not None:
            if isinstance(self._failure, QuotaError):
                await self._write()  # what was asked for before it was spent is paid for
            raise self._failure
        return self.pager

    async def _work(self, everyone: anyio.CancelScope) -> None:
        """One page after another. Errors are kept and raised later, as the group would wrap them."""
        try:
            while not self._over:
                window = self._next()
                if window is None:
                    await self._wait()
                    continue
                self.land(window, await self._fetch(window))
                await self._write()
                self._tell()
        except HarvesterError as error:
            self._failure = self._failure or error
        self._tell()
        if not self._writing and not isinstance(self._failure, QuotaError):
            everyone.cancel()  # the pages that are out are not needed; whoever writes ends in order

    @property
    def _over(self) -> bool:
        return self._failure is not None or (self.pager.done and not self._writing)

    def _next(self) -> Window | None:
        if not self._windows and not self.pager.done:
            self._windows.extend(self.pager.wanted())
        return self._windows.popleft() if self._windows else None

    async def _wait(self) -> None:
        """Wait for something to land, or to be written."""
        if self._news is None:
            self._news = anyio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    async def _fetch(self, window: Window) -> Page | HarvesterError:
        halved = window.limit < self._collection.spelling.page_size
        try:
            return await self._collection.page(window, attempts=2 if halved else None)
        except HarvesterError as error:
            return error

    def land(self, window: Window, came: Page | HarvesterError) -> None:
        """Give a page to the pager. One that can't be had is a poison page if the server serves others."""
        if isinstance(came, Page):
            self._landed += 1
            self.pager.received(came)
            return
        self._failed += 1
        poison = isinstance(came, UnreachableError) and came.status == 500
        if not poison or (not self._landed and self._failed > HOPELESS):
            raise came
        self.pager.failed(window)

    async def _write(self) -> None:
        """Write the pages whose turn has come. A task that is at it already takes new ones as well."""
        if self._writing:
            return
        self._writing = True
        try:
            await self._write_ready()
        finally:
            self._writing = False

    async def _write_ready(self) -> None:
        pager, target, tally = self.pager, self._target, self._collection.tally
        while True:
            try:
                for ready in pager.ready():
                    more = {"confirms": ready.confirms, "holes": ready.holes, "patch": ready.patch}
                    # Of this moment: other tasks go on while this one writes.
                    note = page_note(ready.page, ready.rows, tally, **more, ahead=pager.ahead)
                    await target.write(ready.page, ready.rows)
                    target.note(note)
            except HistoryNeeded:
                pager.remember(await target.ids_written())
            else:
                return
