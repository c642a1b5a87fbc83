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

BITE = 64 * 1024
"""Bytes that are parsed before what they held is written."""

Fresh = Callable[[], Awaitable[Lines]]


@dataclass(slots=True)
class Table:
    """One resource of the document on its way into its parts. A document has no overlap: all is written."""

    lines: Lines
    rows: int = 0
    unnamed: int = 0
    """rows of these without an id, which are in quarantine"""

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
        self.unnamed += len(page.flaws)
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
        doubt = self._doubt(table)
        return Certificate(
            verdict="uncertified" if doubt else "certified",
            scope="none" if doubt else "all",
            why=doubt or "one well-formed document, to its end tag",
            order_asked=None,
            order_seen=None,
            unique=table.rows,
            pages=1,
            assumptions=() if doubt else ("A2: one response is one snapshot",),
            strategy="document",
        )

    def _doubt(self, table: Table) -> str:
        """Why the document proves nothing of this resource."""
        summary = self.summary
        if summary.export_type not in (None, "full"):
            return f"the provider calls its export {summary.export_type!r}, not full"
        if table.rows and table.unnamed == table.rows:
            return f"none of the {table.rows} found has a sourcedid"
        if not table.rows and summary.others:
            found = ", ".join(f"{count} of <{name}>" for name, count in summary.others.items())
            return f"nothing of it in the document, which holds what PIFU does not have: {found}"
        return ""


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
    said = {"namespace": summary.namespace, "type": summary.export_type, "others": dict(summary.others)}
    extra = {"pifu": said}
    return Document(summary, stream.tables, extra)


@dataclass(slots=True)
class _Stream:
    """From chunks of XML to records in parts, for one try of the request."""

    parser: PifuParser
    tables: Mapping[str, Table]

    async def feed(self, chunk: bytes) -> None:
        for start in range(0, len(chunk), BITE):  # records may be longer than the XML that they come from
            self.parser.feed(chunk[start : start + BITE])
            await self.drain()

    async def drain(self) -> None:
        """Write what the parser has finished."""
        batches: dict[str, list[tuple[str | None, bytes]]] = {}
        for resource, row_id, line in self.parser.take():
            if resource in self.tables:
                batches.setdefault(resource, []).append((row_id, line))
        for resource, records in batches.items():
            await self.tables[resource].write(records)
