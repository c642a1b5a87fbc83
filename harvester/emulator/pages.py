"""One page of a collection as an HTTP answer, with whatever is wrong with this server."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from harvester.emulator.faults import Dice, Faults
from harvester.emulator.query import Query, only
from harvester.emulator.roster import Row

KNOWN = frozenset({"limit", "offset", "sort", "orderBy", "filter", "fields", "cursor"})
HTML = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>"
FLAWED = tuple(Row("", {}, text) for text in (b'{"status":"active"}', b'"text"', b'{"sourcedId":"\xff\xfe"}'))
"""Records that are none; they stand at the end of a collection."""
BOMB = 64 * 1024 * 1024
"""Bytes of white space that a bomb inflates to."""


@dataclass(slots=True)
class Listing:
    """What is asked for: a collection of one tenant, with its query."""

    request: web.Request
    rows: Sequence[Row]
    query: Query
    envelope: str
    """key of the array"""


async def interfere(request: web.Request, faults: Faults, dice: Dice) -> web.Response | None:
    """What a request for anything may meet before it is read: a delay, a cut, another answer."""
    if faults.latency:
        await asyncio.sleep(faults.latency)
    if dice.falls(faults.stall):
        await asyncio.sleep(3600)
    if faults.redirect:
        return web.Response(status=302, headers={"Location": faults.redirect})
    if dice.falls(faults.reset):
        reset(request)
    if dice.falls(faults.html):
        return web.Response(body=HTML, content_type="text/html")
    return None


async def serve(listing: Listing, faults: Faults, dice: Dice) -> web.StreamResponse:
    """The page, or one of the ways in which servers fail to give it."""
    request, query = listing.request, listing.query
    if faults.refuse_sort and "sort" in request.query:
        return web.json_response({"error": "sort is not supported"}, status=400)
    if faults.refuse_unknown and not KNOWN.issuperset(request.query):
        return web.json_response({"detail": "unknown parameter"}, status=400)
    if faults.largest and int(request.query.get("limit", 0)) > faults.largest:
        return web.json_response({"detail": f"limit beyond {faults.largest}"}, status=422)
    if faults.deepslow:
        await asyncio.sleep(faults.deepslow * query.offset / 100_000)
    rows = [*listing.rows, *FLAWED] if faults.flaws else listing.rows
    rows = _in_disorder(rows, dice) if faults.disorder else rows
    page, total = _cut(rows, _as_understood(request, query, faults), faults), len(rows)
    if faults.poison and not faults.poison.isdisjoint(range(query.offset, query.offset + len(page))):
        return web.json_response({"error": "internal"}, status=500)
    if faults.notfound_end and not page and query.offset:
        return web.json_response({"error": "not found"}, status=404)
    body, headers = _envelope(listing, [only(row, query.fields) for row in page], total, faults)
    return await send(request, body, headers, faults, dice)


def _as_understood(request: web.Request, query: Query, faults: Faults) -> Query:
    if faults.linkonly:
        return replace(query, offset=int(request.query.get("cursor", "0")))
    if faults.ignore_offset:
        return replace(query, offset=0)
    return query


def _in_disorder(rows: Sequence[Row], dice: Dice) -> list[Row]:
    shuffled = list(rows)
    dice.rng.shuffle(shuffled)
    return shuffled


def _cut(rows: Sequence[Row], query: Query, faults: Faults) -> Sequence[Row]:
    if faults.unpaged:
        return rows
    limit = min(query.limit, faults.cap or query.limit)
    offset = query.offset
    if faults.repeat_last and offset >= len(rows):
        offset = max(0, (len(rows) - 1) // limit * limit)
    if faults.empty_end and offset + limit > len(rows) and offset:
        return rows[offset:offset] if offset >= len(rows) - 2 else rows[offset : offset + limit]
    page = rows[offset : offset + limit + (5 if faults.long_pages else 0)]
    if faults.short_pages and len(page) == limit and offset // limit % 3 == 1:
        page = page[: limit - limit // 4]  # some pages come with fewer rows than they have
    return page


def _envelope(
    listing: Listing, records: list[bytes], total: int, faults: Faults
) -> tuple[bytes, dict[str, str]]:
    """Body and headers. The specification's unless a fault says otherwise."""
    query = listing.query
    stated = faults.wrongtotal if faults.wrongtotal >= 0 else total
    headers: dict[str, str] = {}
    if not (faults.nototal or faults.linkonly or faults.unpaged or faults.envelope in ("data", "meta")):
        headers["X-Total-Count"] = "many" if faults.texttotal else str(stated)
    link = _link(listing, total, faults)
    if link:
        headers["Link"] = link
    array = b"[" + b",".join(records) + b"]"
    beside: dict[str, Any] = {}
    key = listing.envelope
    if faults.envelope == "data":
        key, beside = "data", {"total": stated, "limit": query.limit, "offset": query.offset}
    elif faults.envelope == "meta":
        beside = {"_meta": {"totalCount": stated}, "_links": {}}
    elif faults.envelope == "path":
        key = listing.request.path.rstrip("/").rpartition("/")[2]
    elif faults.envelope == "two":
        beside = {"others": [{"sourcedId": "x"}]}
    tail = json.dumps(beside)[1:-1].encode()
    body = b'{"' + key.encode() + b'":' + array + (b"," + tail if tail else b"") + b"}"
    if faults.pretty:
        body = _pretty(key, records, tail)
    return body, headers


def _pretty(key: str, records: list[bytes], tail: bytes) -> bytes:
    """The same with line breaks and blanks that mean nothing; strings are left alone."""
    inner = b",\r\n    ".join(record.replace(b'","', b'",\n\t  "') for record in records)
    return (
        b'{ "'
        + key.encode()
        + b'" :\n  [\n    '
        + inner
        + b"\n  ]"
        + (b", " + tail if tail else b"")
        + b"\n}\n"
    )


def _link(listing: Listing, total: int, faults: Faults) -> str:
    """RFC 8288 links to the neighbours; a cursor where the server pages by links alone."""
    request, query = listing.request, listing.query
    limit = min(query.limit, faults.cap or query.limit)
    host = "http://other.example" if faults.foreignlink else f"{request.scheme}://{request.host}"
    path = request.rel_url.raw_path
    if faults.link == "relative":
        host = ""
    elif faults.link == "prefix":  # as servers behind a proxy see themselves
        path = "/" + path.rpartition("/")[2]

    def at(offset: int, relation: str) -> str:
        kept = {k: v for k, v in request.query.items() if k.lower() not in ("offset", "cursor", "limit")}
        place = {"cursor": offset} if faults.linkonly else {"limit": limit, "offset": offset}
        return f'<{host}{path}?{urlencode({**kept, **place})}>; rel="{relation}"'

    offset = int(request.query.get("cursor", "0")) if faults.linkonly else query.offset
    more = offset + limit < total + (limit if faults.link == "past" else 0)
    links = [at(offset + limit, "next")] if more else []
    if not faults.linkonly:
        links += [at(0, "first"), at(max(0, (total - 1) // limit * limit), "last")]
        links += [at(max(0, offset - limit), "prev")] if offset else []
    if faults.nototal and not faults.linkonly:
        return ""
    return ", ".join(links) + (", " if faults.link == "comma" and links else "")


async def send(
    request: web.Request, body: bytes, headers: dict[str, str], faults: Faults, dice: Dice
) -> web.StreamResponse:
    """A JSON body with its headers, packed, blown up or cut short as the faults say."""
    headers["Content-Type"] = "application/json"
    headers |= {f"X-Extra-{i}": "x" for i in range(faults.headers)}
    if faults.cookie:
        headers["Set-Cookie"] = "session=somebody; Path=/"
    if faults.bomb:
        body = b'{"users":[' + b" " * BOMB + b"]}"
    if (faults.gzip or faults.bomb) and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, 6)
        headers["Content-Encoding"] = "gzip"
    if dice.falls(faults.truncate) and len(body) > 1:
        headers["Content-Length"] = str(len(body))
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        reset(request)
    return web.Response(body=body, headers=headers)


def reset(request: web.Request) -> None:
    """Cut the connection in the middle."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("cut on demand")
