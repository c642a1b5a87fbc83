"""The client against servers that do what servers do, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import sys
import zlib

import pytest
from aiohttp import web

from harvester.errors import CeilingError, ProtocolError
from harvester.http import messages
from harvester.http.client import HttpTransport, Reply, Request
from harvester.http.limits import Ceiling
from tests.integration.http.servers import OK, answering, app_server, raw_server, request_line, send

pytestmark = pytest.mark.anyio


async def test_an_answer_comes_whole_with_lower_case_headers() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.headers["User-Agent"].startswith("harvester/")
        assert request.headers["Accept-Encoding"] == "gzip"
        response = web.Response(text="hello", headers={"X-Total-Count": "7"})
        response.headers.add("Link", "<a>; rel=prev")
        response.headers.add("Link", "<b>; rel=next")
        return response

    async with app_server(handler) as base:
        reply = await send(f"{base}/users")

    assert (reply.status, reply.body, reply.error) == (200, b"hello", "")
    assert reply.headers["x-total-count"] == "7"
    assert reply.headers["link"] == "<a>; rel=prev, <b>; rel=next"
    assert reply.url == f"{base}/users"
    assert reply.received == 5


async def test_a_body_goes_out_with_a_post() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with app_server(handler) as base:
        reply = await send(f"{base}/token", method="POST", body=b"grant_type=client_credentials")

    assert reply.body == b"grant_type=client_credentials"


@pytest.mark.parametrize(
    "target",
    [
        "/users?filter=role%3D%27student%27&limit=100",
        "/users?filter=role='student'&x=a+b%20c",
        "/a%2Fb%2fc/~x;y=1?q=%C3%A5&q=%c3%a5&empty=&flag",
        "//double//slash?x=//",
        "/users?x=%",
    ],
)
async def test_a_url_goes_out_exactly_as_it_was_given(target: str) -> None:
    seen: list[bytes] = []
    async with raw_server(answering(OK, seen=seen)) as base:
        reply = await send(base + target)

    assert reply.status == 200
    assert seen == [f"GET {target} HTTP/1.1".encode()]


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with app_server(handler) as base:
        reply = await send(f"{base}/users", headers={"Authorization": "Bearer x"})

    assert reply.status == 302
    assert reply.headers["location"] == "/elsewhere"
    assert asked == ["/users"]


async def test_a_cookie_of_one_tenant_is_not_sent_for_another() -> None:
    cookies: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=bergen; Path=/"})

    async with app_server(handler) as base, HttpTransport() as transport:
        await transport.send(Request(f"{base}/a"))
        await transport.send(Request(f"{base}/b"))

    assert cookies == [None, None]


@pytest.mark.parametrize("members", [1, 3])
async def test_gzip_is_inflated_whatever_the_cuts(members: int) -> None:
    page = b'{"users":[' + b'{"sourcedId":"a"},' * 50_000 + b"0]}"
    third = len(page) // members + 1
    packed = b"".join(gzip.compress(page[i : i + third]) for i in range(0, len(page), third))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_line(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(packed), 7):
            piece = packed[i : i + 7]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with raw_server(talk) as base:
        reply = await send(base)

    assert reply.body == page
    assert reply.received == len(packed)


async def test_a_body_is_fed_in_chunks_when_it_is_a_success() -> None:
    fed: list[bytes] = []

    async def feed(chunk: bytes) -> None:
        fed.append(chunk)

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/no":
            return web.Response(status=503, text="busy")
        return web.Response(body=b"x" * 2_000_000)

    async with app_server(handler) as base:
        reply = await send(f"{base}/document", feed=feed)
        refused = await send(f"{base}/no", feed=feed)

    assert (reply.body, reply.received) == (b"", 2_000_000)
    assert b"".join(fed) == b"x" * 2_000_000
    assert len(fed) > 1
    assert refused.body == b"busy"


async def test_an_error_of_the_reader_comes_through_as_it_is() -> None:
    async def feed(chunk: bytes) -> None:
        raise ProtocolError("a DOCTYPE")

    async def full(chunk: bytes) -> None:
        raise OSError(28, "disk full")

    async with raw_server(answering(OK)) as base:
        with pytest.raises(ProtocolError, match="DOCTYPE"):
            await send(base, feed=feed)
        with pytest.raises(OSError, match="disk full"):
            await send(base, feed=full)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(packed) + packer.flush()


@pytest.mark.parametrize("ratio", [200.0, 1e9])
async def test_a_bomb_is_stopped_while_memory_stays_flat(ratio: float) -> None:
    packed = bomb(1 << 28)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    before = _peak_memory()

    async with raw_server(answering(head + packed)) as base:
        with pytest.raises(
            CeilingError, match="inflates more than 200-fold" if ratio == 200 else "more than 33554432"
        ):
            await send(base, ceiling=Ceiling(ratio=ratio))

    assert _peak_memory() - before < 96 * 1024 * 1024


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


async def test_an_endless_body_is_stopped() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_line(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with raw_server(talk) as base:
        with pytest.raises(CeilingError, match="more than 1000000 bytes"):
            await send(base, ceiling=Ceiling(body=1_000_000))


async def test_a_large_error_page_is_cut_and_its_status_kept() -> None:
    body = b"x" * 10_000_000
    async with raw_server(answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 10000000\r\n\r\n" + body)) as base:
        reply = await send(base)

    assert reply.status == 503
    assert len(reply.body) <= 64 * 1024


async def test_a_drip_is_stopped() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_line(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw_server(talk) as base:
        with pytest.raises(CeilingError, match="too slow") as caught:
            await send(base, ceiling=Ceiling(rate_over=0.2))
        assert caught.value.passing
        with pytest.raises(CeilingError, match="not whole after"):
            await send(base, ceiling=Ceiling(total=0.2))


async def test_a_reader_that_is_slow_itself_is_no_drip() -> None:
    async def feed(chunk: bytes) -> None:
        await asyncio.sleep(0.15)

    async with raw_server(answering(OK)) as base:
        reply = await send(base, ceiling=Ceiling(rate_over=0.1), feed=feed)

    assert reply.status == 200
    assert not reply.error


async def test_silence_is_a_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_line(reader)
        await asyncio.sleep(30)

    async def stalled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_line(reader)
        writer.write(OK[:-1])
        await asyncio.sleep(30)

    async with raw_server(silent) as base:
        for ceiling in (Ceiling(read=0.1), Ceiling(total=0.1)):
            reply = await send(base, ceiling=ceiling)
            assert (reply.status, reply.error) == (0, messages.SLOW_ANSWER)
    async with raw_server(stalled) as base:
        reply = await send(base, ceiling=Ceiling(read=0.1))
        assert (reply.status, reply.error) == (200, messages.SLOW_ANSWER)


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"", 0, messages.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 0, messages.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", 200, messages.BROKE_OFF),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 200, messages.BROKE_OFF),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 16\r\n\r\nno gzip, not one",
            200,
            messages.BROKE_OFF,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 2\r\n\r\nok",
            200,
            messages.UNDECODABLE,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\nok",
            200,
            messages.UNDECODABLE,
        ),
        (
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(130)) + b"\r\n",
            0,
            messages.MALFORMED,
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000 + b"\r\n\r\n", 0, messages.MALFORMED),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", 0, messages.MALFORMED),
    ],
)
async def test_a_broken_answer_is_named(answer: bytes, status: int, error: str) -> None:
    async with raw_server(answering(answer)) as base:
        reply = await send(base)

    assert (reply.status, reply.error) == (status, error)
    assert reply.body == b""


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async with raw_server(answering(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as base:
        assert (await send(base)).body == b"all of it"


class OncePerConnection:
    """Answers one request a connection; the next one on it meets a reset, like on a connection left idle."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await request_line(reader)
        self.requests += 1
        writer.write(OK)
        await writer.drain()
        await request_line(reader)
        self.requests += 1
        writer.transport.abort()


async def test_a_dead_idle_connection_is_replaced_at_once() -> None:
    server = OncePerConnection()
    async with raw_server(server.talk) as base, HttpTransport() as transport:
        first = await transport.send(Request(base))
        second = await transport.send(Request(base))

    assert (first.status, first.resent) == (200, False)
    assert (second.status, second.resent) == (200, True)
    assert (server.connections, server.requests) == (2, 3)


async def test_a_dead_idle_connection_is_not_replaced_for_a_post() -> None:
    server = OncePerConnection()
    async with raw_server(server.talk) as base, HttpTransport() as transport:
        await transport.send(Request(base))
        reply = await transport.send(Request(base, method="POST", body=b"x"))

    assert (reply.status, reply.resent) == (0, False)
    assert reply.error in (messages.RESET, messages.CLOSED)


async def test_a_new_connection_that_dies_is_an_answer() -> None:
    asked: list[bytes] = []
    async with raw_server(answering(b"", seen=asked)) as base:
        reply = await send(base)

    assert (reply.status, reply.resent) == (0, False)
    assert len(asked) == 1


async def test_more_than_one_dead_connection_is_an_answer_too() -> None:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await request_line(reader))
            if len(asked) > 2:
                return
            writer.write(OK)

    async with raw_server(talk) as base, HttpTransport() as transport:
        assert (await transport.send(Request(base))).status == 200
        assert (await transport.send(Request(base))).status == 200
        reply = await transport.send(Request(base))

    assert (reply.status, reply.error, reply.resent) == (0, messages.CLOSED, True)
    assert len(asked) == 4


async def test_nobody_home_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert (await send(f"http://127.0.0.1:{port}")).error == messages.REFUSED_CONNECTION


async def test_a_name_that_nobody_knows_is_named() -> None:
    assert (await send("https://no-such-host.invalid/")).error == messages.UNKNOWN_NAME


async def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_line(reader)
        writer.write(OK[:-1])
        await reader.read()
        gone.set()

    async with raw_server(talk) as base, HttpTransport() as transport:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(transport.send(Request(base)), 0.05)
        await asyncio.wait_for(gone.wait(), 5)


async def test_neither_requests_nor_replies_show_what_they_hold() -> None:
    assert "s3cret" not in repr(Request("https://x/", headers={"Authorization": "s3cret"}))
    assert "s3cret" not in repr(Reply(200, {}, b"s3cret", 0.1))
