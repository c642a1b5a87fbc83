"""Reading a PIFU export: one document, streamed, that holds several resources at once.

The document is one page. It is fetched once for all resources that are wanted of it, parsed as it arrives and
never held: what the parser has finished goes into the parts before the next chunk is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harvester.access import Access
from harvester.http.fetch import Tally
from harvester.http.limits import DOCUMENT
from harvester.http.messages import Reply
from harvester.lines import Lines
from harvester.model import Certificate, Page, Pull, Window
from harvester.providers.dialect import Resource
from harvester.providers.pifu import PifuParser, PifuSummary

Fresh = Callable[[], Awaitable[Lines]]


@dataclass(slots=True)
class Table:
    """One resource of the document on its way into its parts. A document has no overlap: all is written."""

    lines: Lines
    rows: int = 0

    async def write(self, records: Sequence[tuple[str | None, bytes]]) -> None:
        """Write records as (id, line); one without an id goes to quarantine."""
        page = Page(
            Window(self.rows, len(records)),
            ids=[row_id or "" for row_id, _ in records],
            versions=[b""] * len(records),
            records=[line for _, line in records],
            flaws={i: "no sourcedid" for i, (row_id, _) in enumerate(records) if row_id is None},
        )
        self.rows += len(records)
        await self.lines.write(page, range(len(records)))


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
            unique=table.rows,
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
        stream = _Stream(PifuParser(), {name: Table(await make()) for name, make in fresh.items()})
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
        batches: dict[str, list[tuple[str | None, bytes]]] = {}
        for resource, row_id, line in self.parser.take():
            if resource in self.tables:
                batches.setdefault(resource, []).append((row_id, line))
        for resource, records in batches.items():
            await self.tables[resource].write(records)
