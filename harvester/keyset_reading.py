"""Reading one collection by id: several ranges of ids at once, each a chain of pages of its own.

Where the probe has proved that filter and sort compare ids alike (`find_proof`), no page needs a deep offset,
and nothing that is inserted or deleted meanwhile moves a row out of sight. Each range writes parts of its
own, so that memory stays at a page and a frame a range. A contradiction raises `KeysetBrokenError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import orjson

from harvester.collection import REFUSALS, Collection
from harvester.dialects import Dialects, Finding
from harvester.errors import HarvesterError, RefusedError, UnreachableError
from harvester.history import History, opening_note, restore_tally, tally_note
from harvester.lines import Lines
from harvester.model import Certificate, Page, Window
from harvester.paging.keyset import (
    Keyset,
    KeysetBrokenError,
    Lane,
    Proof,
    condition,
    lanes_between,
    lanes_for,
)
from harvester.paging.keyset_probe import Ask, is_worth, probe
from harvester.sinks.page_journal import StaleError
from harvester.spelling import Spelling

KIND = "keyset"
"""What a journal calls this way of reading."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a collection may be read by id, and what is remembered of its server."""

    collection: Collection
    dialects: Dialects
    asked: str
    """What the configuration says of the requests: another one is another source."""
    now: float
    """seconds since the epoch"""
    size: int | None
    """records of the newest snapshot"""
    forced: bool
    """The configuration asks for it, for small collections too."""

    async def finding(self) -> Finding | None:
        """What is known of the server, or is found out now; None where offsets are as good."""
        if self.size is not None and not self._is_worth(self.size):
            return None
        known = await self.recall()
        if known is not None:
            return known
        try:
            total = (await self.collection.peek()).total
        except UnreachableError as error:
            if error.status != 500:
                raise
            return None  # a record that can't be served: windows find out which
        records = self.size if total is None else total
        if records is None or not self._is_worth(records) or not is_possible(self.collection):
            return None
        return await self.find_out(records)

    def _is_worth(self, records: int) -> bool:
        return is_worth(records, self.collection.spelling.page_size, asked_for=self.forced)

    async def recall(self) -> Finding | None:
        return await self.dialects.recall(self.collection.pull, self.asked, self.now)

    async def find_out(self, records: int) -> Finding:
        """Probe the server, and remember what came of it."""
        finding = await find_proof(self.collection, records, self.now)
        await self.remember(finding)
        return finding

    async def remember(self, finding: Finding) -> None:
        await self.dialects.remember(self.collection.pull, self.asked, self.now, finding)


def is_possible(collection: Collection) -> bool:
    """Whether a collection's records have one id that can be filtered and sorted by."""
    spelling, key = collection.spelling, collection.resource.key
    also = spelling.extra.get("filter", "")
    return len(key) == 1 and spelling.sort.get("sort") == key[0] and " OR " not in also.upper()


async def find_proof(collection: Collection, records: int, now: float) -> Finding:
    """Probe a collection of about so many records; some 15 requests. Raises what reading a page raises."""
    probing = probe(
        records, collection.spelling.page_size, datetime.fromtimestamp(now, UTC).date().isoformat()
    )
    pages: list[Page | None] | None = None
    while True:
        try:
            asks = next(probing) if pages is None else probing.send(pages)
        except StopIteration as end:
            found: Proof | str = end.value
            return Finding(None, found) if isinstance(found, str) else Finding(found)
        pages = await _all(collection, asks)


async def _all(collection: Collection, asks: Sequence[Ask]) -> list[Page | None]:
    pages: list[Page | None] = [None] * len(asks)
    failures: list[HarvesterError] = []

    async def fetch(place: int, ask: Ask) -> None:
        try:
            if ask.anchor is None:
                pages[place] = await collection.page(ask.window)
            else:
                pages[place] = await _narrowed(collection, ask.anchor, ask.operator, ask.window)
        except KeysetBrokenError:
            return
        except RefusedError as refused:
            if refused.status not in REFUSALS:
                failures.append(refused)
        except UnreachableError as error:
            if error.status != 500:
                failures.append(error)
        except HarvesterError as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        for place, ask in enumerate(asks):
            group.start_soon(fetch, place, ask)
    if failures:
        raise failures[0]
    return pages


async def _narrowed(collection: Collection, row_id: str, operator: str, window: Window) -> Page:
    own = condition(collection.resource.key[0], operator, row_id, collection.spelling.extra.get("filter", ""))
    return await collection.narrowed(own, window)


async def read_keyset(collection: Collection, target: Lines, proof: Proof, records: int) -> Certificate:
    """Read a collection of about so many records by id. Raises `KeysetBrokenError` where that fails."""
    first = await _asked(collection.first())
    if not is_possible(collection):
        raise KeysetBrokenError("the sort is refused")
    records = records if first.total is None else first.total
    count = lanes_for(records, proof.operator)
    asks = [Ask(Window(i * records // count, 1)) for i in range(1, count)]
    keys = [page.ids[0] for page in await _all(collection, asks) if page is not None and page.ids]
    machine = Keyset(
        proof,
        collection.spelling.order,
        list(lanes_between(keys, proof.collation)),
        total_first=first.total,
        trust_total="filter" not in collection.spelling.extra,
        notes=list(collection.notes),
    )
    target.note(
        opening_note(collection, KIND)
        | {
            "proof": asdict(proof),
            "keys": [lane.start for lane in machine.lanes[1:]],
            "total": first.total,
            "tally": tally_note(collection.tally),
        }
    )
    await _take(collection, machine, 0, first, target)
    return await _read_lanes(collection, target, machine)


async def go_on_keyset(collection: Collection, history: History) -> Certificate:
    """Read on where an earlier process stopped. Raises `StaleError` and `KeysetBrokenError`."""
    begin = orjson.loads(history.notes[0])
    collection.go_on(Spelling(**begin["spelling"]), begin["notes"], links=begin["links"])
    proof = Proof(**begin["proof"])
    lanes: list[Lane] = []
    spent = orjson.loads(history.notes[-1])
    for lane in lanes_between(begin["keys"], proof.collation):
        notes = history.notes if not lane.number else await history.lines.lane(lane.number).writer.recover()
        lanes.append(_restored(lane, notes))
        if notes:
            spent = max(spent, orjson.loads(notes[-1]), key=lambda note: note["tally"][0])
    restore_tally(collection.tally, spent)
    machine = Keyset(
        proof,
        collection.spelling.order,
        lanes,
        total_first=begin["total"],
        trust_total="filter" not in collection.spelling.extra,
        notes=list(collection.notes),
    )
    return await _read_lanes(collection, history.lines, machine)


def _restored(lane: Lane, notes: Sequence[bytes]) -> Lane:
    states = [note["lane"] for note in map(orjson.loads, notes[-1:]) if "lane" in note]
    if not states:
        return lane
    restored = Lane(**states[-1])
    if (restored.number, restored.start, restored.stop) != (lane.number, lane.start, lane.stop):
        raise StaleError("its ranges of ids are others")
    return restored


async def _read_lanes(collection: Collection, target: Lines, machine: Keyset) -> Certificate:
    failure: Exception | None = None
    async with anyio.create_task_group() as group:

        async def run(number: int) -> None:
            nonlocal failure
            try:
                await _read_lane(collection, machine, number, target)
            except (HarvesterError, KeysetBrokenError) as error:
                failure = failure or error  # raised outside of the group, which would wrap it
                group.cancel_scope.cancel()

        for lane in machine.lanes:
            group.start_soon(run, lane.number)
    if failure is not None:
        raise failure
    last = await _asked(collection.page(Window(0, 1)))
    machine.settle(last.total)
    return machine.certificate()


async def _read_lane(collection: Collection, machine: Keyset, number: int, target: Lines) -> None:
    size = collection.spelling.page_size
    while not machine.lanes[number].done:
        behind = machine.behind(number)
        if behind is None:
            page = await _asked(collection.page(Window(0, size)))
        else:
            page = await _asked(_narrowed(collection, behind, machine.proof.operator, Window(0, size)))
        await _take(collection, machine, number, page, target)


async def _take(collection: Collection, machine: Keyset, number: int, page: Page, target: Lines) -> None:
    rows = machine.received(number, page)
    lines = target.lane(number)
    await lines.write(page, rows)
    note: dict[str, Any] = {"lane": asdict(machine.lanes[number]), "tally": tally_note(collection.tally)}
    lines.note(note)


async def _asked(page: Any) -> Page:
    """A page; what the server refuses, or can't serve for one of its rows, is read by offset instead."""
    try:
        answer: Page = await page
    except RefusedError as refused:
        if refused.status not in REFUSALS:
            raise
        raise KeysetBrokenError(f"a page is refused (HTTP {refused.status})") from None
    except UnreachableError as error:
        if error.status != 500:
            raise
        raise KeysetBrokenError("a page can't be served (HTTP 500)") from None
    return answer
