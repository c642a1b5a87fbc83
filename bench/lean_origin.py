"""An origin that is no bottleneck: one collection of any size, its pages cut from memory, over HTTP/1.1.

A record's bytes are a template with its number in it, so that ten million of them take no room. It speaks
just enough HTTP for our client: keep-alive, GET with `limit` and `offset`, and a token endpoint. Not an
emulator: nothing can go wrong here.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_GET = re.compile(rb"GET \S*?limit=(\d+)&offset=(\d+)\S* HTTP")
RECORD = (
    b'{"sourcedId":"%(id)012d","status":"active","dateLastModified":"2026-11-20T02:00:00.000Z",'
    b'"enabledUser":"true","givenName":"Ingrid","familyName":"Berg","roles":[{"roleType":"primary","role":"student",'
    b'"org":{"sourcedId":"org-%(org)04d","type":"org"}}],"username":"user%(id)012d",'
    b'"email":"u%(id)d@example.org","metadata":{"grade":"%(org)d"}}'
)
TOKEN = b'{"access_token":"bench","token_type":"Bearer","expires_in":3600}'


class Origin(asyncio.Protocol):
    """One connection."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, rest = self._buffer[:end], self._buffer[end + 4 :]
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self._buffer = rest[size:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        asked = _GET.match(head)
        if asked is None:
            self._send(TOKEN)
            return
        limit, offset = int(asked[1]), int(asked[2])
        rows = range(offset, min(offset + limit, self._records))
        records = b",".join([RECORD % {b"id": i, b"org": i % 500} for i in rows])
        self._send(b'{"users":[' + records + b"]}", b"X-Total-Count: %d\r\n" % self._records)

    def _send(self, body: bytes, headers: bytes = b"") -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"
            % (headers, len(body), body)
        )


async def serve(records: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Origin(records), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


@contextmanager
def serving(records: int) -> Iterator[int]:
    """The port of an origin in a process of its own."""
    words = [sys.executable, __file__, str(records)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as origin:
        assert origin.stdout is not None
        try:
            yield int(json.loads(origin.stdout.readline())["port"])
        finally:
            origin.terminate()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
