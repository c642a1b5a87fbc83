"""Asking for single records by id: what no listing can tell.

Audit: records that were there last night and are not listed now should be gone. One that can still be had by
id proves that the list is short, whatever it claims.

Closure: records that another collection of the same tenant refers to should be there. One that is not, but
can be had by id, came after its collection was read, or was left out; it becomes a record of the pull.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

import msgspec

from harvester.access import Access
from harvester.errors import ProviderError
from harvester.http.fetch import Tally
from harvester.http.rows import identify, is_tombstone
from harvester.http.slices import record_of
from harvester.model import Pull
from harvester.providers.dialect import Resource

MOST_REFERENCES = 500_000
"""Different ids that are kept in memory; a collection that is referred to more often is not checked."""
MOST_DANGLING = 0.01
"""Of a pull's records; where more are missing, the collections do not belong together."""
FEW_DANGLING = 10
"""So many are always looked up."""
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Lookup:
    """One collection, record by record."""

    access: Access
    pull: Pull
    resource: Resource
    tally: Tally

    async def record(self, row_id: str) -> bytes | None:
        """The record of an id as a line; None where the server does not give it, or calls it deleted."""
        url = f"{self.access.url(self.resource)}/{quote(row_id, safe='')}"
        try:
            record = await self.access.fetcher.get(
                self.pull,
                url,
                headers=self.access.headers,
                check=lambda reply: record_of(reply, self.resource.key),
                tally=self.tally,
                attempts=2,
            )
        except ProviderError:
            return None  # refused, or no record: a look-up that fails proves nothing
        found, _ = identify([record], self.resource.key)
        return None if found != [row_id] or is_tombstone(record) else record


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of records that vanished."""

    vanished: int
    checked: int
    still_there: tuple[str, ...] = ()
    """Ids that can be had one by one, and are not listed."""


async def audit(lookup: Lookup, gone: Sequence[str], known: str, most: int) -> Audit | None:
    """Look up to `most` of the vanished up, spread evenly.

    None where nothing vanished, or where the server does not even give a record by id that is `known` to be
    there: then its refusals mean nothing.
    """
    if not gone or not most or await lookup.record(known) is None:
        return None
    chosen = gone[:: max(1, -(-len(gone) // most))]
    still = [row_id for row_id in chosen if await lookup.record(row_id) is not None]
    return Audit(len(gone), len(chosen), tuple(still))


@dataclass(frozen=True, slots=True)
class Closure:
    """References into a pull, and what was done about those that led nowhere."""

    dangling: int
    fetched: tuple[bytes, ...] = ()
    """Records that were to be had by id."""


async def close(lookup: Lookup, references: set[str], rows: int) -> Closure:
    """Fetch what is referred to and not there, of a pull of so many `rows`."""
    if len(references) > max(FEW_DANGLING, MOST_DANGLING * rows):
        return Closure(len(references))
    found = [await lookup.record(row_id) for row_id in sorted(references)]
    return Closure(len(references), tuple(record for record in found if record is not None))


class _Ref(msgspec.Struct):
    sourced_id: str | None = msgspec.field(default=None, name="sourcedId")


def dangling(
    referring: Iterator[bytes], member: str, written: Iterator[bytes], key: tuple[str, ...]
) -> set[str] | None:
    """Ids that `member` of the referring records names and no written record has. Blocks.

    None where there are more references than can be kept.
    """
    row = msgspec.defstruct("Row", [("ref", _Ref | None, None)], rename={"ref": member})
    decoder = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
    named: set[str] = set()
    while batch := list(islice(referring, _AT_ONCE)):
        try:
            found = decoder.decode(b"[" + b",".join(batch) + b"]")
        except msgspec.DecodeError:
            return set()  # records of another kind refer to nothing that we know
        refs = [one.ref for one in found]  # type: ignore[attr-defined]
        named.update(ref.sourced_id for ref in refs if ref is not None and ref.sourced_id)
        if len(named) > MOST_REFERENCES:
            return None
    while named and (batch := list(islice(written, _AT_ONCE))):
        named.difference_update(identify(batch, key)[0])
    return named
