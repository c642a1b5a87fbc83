"""Reading a PIFU export: one document, streamed, that holds several resources at once.

The document is one page. It is fetched once for all resources that are wanted of it, parsed as it arrives and
never held: what the parser has finished goes into the parts before the next chunk is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harvester.access import Access
from harvester.http.fetch import Tally
from harvester.http.limits import DOCUMENT
from harvester.http.messages import Reply
from harvester.lines import Lines
from harvester.model import Certificate, Page, Pull, Window
from harvester.paging.order import OrderWitness
from harvester.paging.seen import Seen
from harvester.providers.dialect import Resource
from harvester.providers.pifu import PifuParser, PifuSummary

Fresh = Callable[[], Awaitable[Lines]]


@dataclass(slots=True)
class Table:
    """One resource of the document on its way into its parts."""

    lines: Lines
    seen: Seen
    rows: int = 0
    unique: int = 0

    async def write(self, ids: list[str], records: list[bytes]) -> None:
        """Write the records whose ids the document has not given before."""
        page = Page(Window(self.rows, len(ids)), ids, [b""] * len(ids), records)
        rows = self.seen.new_rows(page)
        self.rows += len(ids)
        self.unique += len(rows)
        await self.lines.write(page, rows)


@dataclass(slots=True)
class Document:
    """A document that was read to its end tag."""

    summary: PifuSummary
    tables: Mapping[str, Table]
    extra: dict[str, Any] = field(default_factory=dict)

    def certificate(self, resource: str) -> Certificate:
        """One response is one snapshot, and its end tag proves that it came whole."""
        table = self.tables[resource]
        full = self.summary.export_type in (None, "full")
        return Certificate(
            verdict="certified" if full else "uncertified",
            scope="all" if full else "none",
            why="one well-formed document, to its end tag"
            if full
            else f"the provider calls its export {self.summary.export_type!r}, not full",
            order_asked=None,
            order_seen=None,
            unique=table.unique,
            duplicates=table.rows - table.unique,
            pages=1,
            assumptions=("A2: one response is one snapshot",) if full else (),
        )


async def read_document(
    access: Access, pull: Pull, resource: Resource, tally: Tally, fresh: Mapping[str, Fresh]
) -> Document:
    """Stream the export of one tenant into the parts of `fresh`'s resources."""
    stream: _Stream

    async def begin() -> Callable[[bytes], Awaitable[None]]:
        nonlocal stream
        stream = _Stream(PifuParser(), {name: _table(await make()) for name, make in fresh.items()})
        return stream.feed

    def check(_reply: Reply) -> PifuSummary:
        return stream.parser.close()

    summary = await access.fetcher.get(
        pull,
        access.url(resource),
        headers=access.headers,
        ceiling=DOCUMENT,
        check=check,
        feed=begin,
        tally=tally,
    )
    await stream.drain()
    extra = {"pifu": {"namespace": summary.namespace, "type": summary.export_type}}
    return Document(summary, stream.tables, extra)


def _table(lines: Lines) -> Table:
    order = OrderWitness()
    seen = Seen(order)
    seen.remember(())  # a document has no order to rely on
    return Table(lines, seen)


@dataclass(slots=True)
class _Stream:
    """From chunks of XML to records in parts, for one try of the request."""

    parser: PifuParser
    tables: Mapping[str, Table]

    async def feed(self, chunk: bytes) -> None:
        self.parser.feed(chunk)
        await self.drain()

    async def drain(self) -> None:
        """Write what the parser has finished."""
        batches: dict[str, tuple[list[str], list[bytes]]] = {}
        for resource, row_id, record in self.parser.take():
            if resource in self.tables:
                ids, records = batches.setdefault(resource, ([], []))
                ids.append(row_id)
                records.append(record)
        for resource, (ids, records) in batches.items():
            await self.tables[resource].write(ids, records)
