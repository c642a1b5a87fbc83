"""Reading child resources: what a provider keeps per record of another collection.

The parents are listed first, as their own pull would; then each one's children are fetched, some parents at
once, and written in the parents' order. Each line says whose child it is (`parent_key`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import anyio
import orjson

from harvester.access import Access
from harvester.errors import HarvesterError, RefusedError
from harvester.history import History, restore_tally, tally_note
from harvester.http.fetch import Tally
from harvester.http.messages import Reply
from harvester.http.slices import object_of, with_parent
from harvester.lines import Lines, Listing
from harvester.model import VERDICTS, Certificate, Pull, weaker_than
from harvester.providers.dialect import Resource
from harvester.reading import read_collection
from harvester.sinks.page_journal import StaleError

KIND = "children"
"""What a journal calls this way of reading."""
BATCH = 32
"""Parents whose children are fetched at once and held in memory until they are written."""


@dataclass(slots=True)
class Children:
    """What was read, and what was left out on purpose."""

    certificate: Certificate
    parents: int
    skipped: int
    """Parents in a state in which the provider has nothing final for them, e.g. running jobs."""
    missing: int = 0
    """Parents for which the provider answered 404: it has no such child."""


async def read_children(
    access: Access,
    pull: Pull,
    resource: Resource,
    tally: Tally,
    begin: Callable[[], Awaitable[Lines]],
    history: History | None = None,
) -> Children:
    """Read `resource` for every record of its parent collection that is in the right state.

    With a `history`, only for the parents that an earlier process had not come to; `StaleError` where these
    are others now.
    """
    assert resource.parent is not None
    parent = access.resource(resource.parent)

    async def listing() -> Listing:
        return Listing(keep=in_state(resource.parent_when))

    parents, certificate = await read_collection(access.collection(pull, parent, tally), listing)
    children = Children(certificate, len(parents.ids), parents.skipped)
    if history is None:
        lines, done = await begin(), 0
        lines.note({"begin": KIND})
    else:
        lines, done = history.lines, await _relive(history, parents.ids, children, tally)
    for start in range(done, len(parents.ids), BATCH):
        batch = parents.ids[start : start + BATCH]
        flawed: list[bytes] = []
        for child in await _fetch_all(access, pull, resource, tally, batch):
            if child is None:
                children.missing += 1
                continue
            listed, claim = child
            children.certificate = _weaker(children.certificate, claim)
            await lines.writer.write(listed.records)
            flawed += listed.flawed
        for line in flawed:
            await lines.writer.quarantine(line)
        lines.note(_note(children, parents.ids[: start + len(batch)], flawed, tally))
    return children


def _note(children: Children, done: Sequence[str], flawed: Sequence[bytes], tally: Tally) -> dict[str, Any]:
    """What the journal is told of the parents that are done with."""
    claim = children.certificate
    return {
        "parents": len(done),
        "digest": _digest(done),
        "missing": children.missing,
        "claim": (claim.verdict, claim.why, claim.pages, claim.duplicates),
        "flaws": [line.decode() for line in flawed],
        "tally": tally_note(tally),
    }


async def _relive(history: History, parents: Sequence[str], children: Children, tally: Tally) -> int:
    """Take over what an earlier process had done; how many parents need not be asked for again."""
    for body in history.notes[1:]:
        for line in orjson.loads(body)["flaws"]:
            await history.lines.writer.quarantine(line.encode())
    note = orjson.loads(history.notes[-1])
    done = int(note.get("parents", 0))
    if not done:
        return 0
    if _digest(parents[:done]) != note["digest"]:
        raise StaleError("the records whose children are pulled are others now")
    restore_tally(tally, note)
    verdict, why, pages, duplicates = note["claim"]
    claim = replace(children.certificate, pages=pages, duplicates=duplicates)
    if weaker_than(verdict, claim.verdict):
        claim = replace(claim, verdict=verdict, why=why)
    children.certificate, children.missing = claim, note["missing"]
    return done


def _digest(ids: Sequence[str]) -> str:
    return blake2b("\0".join(ids).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


Child = tuple[Listing, Certificate | None] | None


async def _fetch_all(
    access: Access, pull: Pull, resource: Resource, tally: Tally, parents: Sequence[str]
) -> list[Child]:
    found: list[Child] = [None] * len(parents)
    failures: list[HarvesterError] = []

    async def fetch(place: int, parent: str) -> None:
        try:
            found[place] = await children_of(access, pull, resource, tally, parent)
        except HarvesterError as error:
            failures.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for place, parent in enumerate(parents):
            group.start_soon(fetch, place, parent)
    if failures:
        raise failures[0]
    return found


async def children_of(access: Access, pull: Pull, resource: Resource, tally: Tally, parent: str) -> Child:
    """One parent's children; None where the provider has none (404). Raises what reading them raises."""
    collection = access.collection(pull, resource, tally, parent=parent)
    claim: Certificate | None = None
    try:
        if resource.shape == "object":

            def check(reply: Reply) -> bytes:
                return object_of(reply)

            record = await access.fetcher.get(
                pull, collection.url, headers=collection.headers, check=check, tally=tally
            )
            listed = Listing(ids=[parent], records=[record])
        else:
            listed, claim = await read_collection(collection, _listing)
    except RefusedError as refused:
        if refused.status == 404:
            return None
        raise
    listed.records = [with_parent(record, resource.parent_key, parent) for record in listed.records]
    return listed, claim


async def _listing() -> Listing:
    return Listing()


def in_state(wanted: tuple[str, tuple[str, ...]] | None) -> Callable[[bytes], bool] | None:
    """Which parents have children that are final: a test of a parent's record; None for all."""
    if wanted is None:
        return None
    member, values = wanted

    def keep(record: bytes) -> bool:
        return orjson.loads(record).get(member) in values

    return keep


def _weaker(ours: Certificate, theirs: Certificate | None) -> Certificate:
    """A chain is as strong as its weakest link."""
    if theirs is None:
        return replace(ours, pages=ours.pages + 1)
    weakest = ours
    if VERDICTS.index(theirs.verdict) > VERDICTS.index(ours.verdict):
        weakest = replace(theirs, why=f"of one parent: {theirs.why}")
    pages, duplicates = ours.pages + theirs.pages, ours.duplicates + theirs.duplicates
    return replace(weakest, pages=pages, duplicates=duplicates)
