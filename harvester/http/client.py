"""The one place that talks HTTP: a request goes out as signed, an answer comes back whole or is named.

Nothing here follows anything: no redirect, no cookie, no link. aiohttp's errors hold headers and URLs, so
none of them leaves this file: the cause is translated into a word of `Reply.error` or one of our errors.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
from isal import isal_zlib
from yarl import URL

from harvester import __version__
from harvester.errors import CeilingError, ConfigError
from harvester.http import messages
from harvester.http.address import Proxies, permitted, tls_context
from harvester.http.limits import ERROR_BODY, Ceiling
from harvester.http.messages import Reader, Reply, Request, Transport

__all__ = ["Connector", "HttpTransport", "Reader", "Reply", "Request", "TCPConnector", "Transport"]

Connector = Callable[..., aiohttp.BaseConnector]
"""Makes the connections of a session; a simulation passes its own."""
TCPConnector: Connector = aiohttp.TCPConnector

_DECODED = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class _DeadConnectionError(Exception):
    """A connection broke before an answer. Not one of aiohttp's, so that it doesn't resend by itself."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class _Trace:
    """What one request knows of its connection."""

    __slots__ = ("reused",)

    def __init__(self) -> None:
        self.reused = False


class HttpTransport:
    """aiohttp behind our rules. One for each application: nothing is shared between applications.

    aiohttp resends an idempotent request once after any reset, also on a connection that it had just
    opened, and perhaps on another idle one that is just as dead. Ours resends only when the connection
    had been idle in the pool, only a GET, and always on a new connection; everything else is for the
    retry policy, which waits and is counted.
    """

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        trust_env: bool = False,
        connections: int = 0,
        connector: Connector = TCPConnector,
    ) -> None:
        """`ca_file`: trusted instead of the system's authorities. `connections`: 0 is as many as permits.

        `connector` is what a simulation replaces. `trust_env` obeys HTTPS_PROXY and NO_PROXY, not netrc.
        """
        self._tls = tls_context(ca_file)
        self._proxies = Proxies(obeyed=trust_env)
        self._connections = connections
        self._connector = connector
        self._pooled: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        aiohttp.set_zlib_backend(isal_zlib)  # the process's; five times zlib's speed
        self._pooled = self._session(limit=self._connections, ttl_dns_cache=60)
        self._fresh = self._session(limit=self._connections, force_close=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sessions = (self._pooled, self._fresh)
        self._pooled = self._fresh = None
        for session in sessions:
            if session is not None:
                await session.close()

    def _session(self, **options: float | bool) -> aiohttp.ClientSession:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        return aiohttp.ClientSession(
            connector=self._connector(ssl=self._tls, **options),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": f"harvester/{__version__}",
                "Accept": "application/json, */*;q=0.1",
                "Accept-Encoding": "gzip",
            },
            middlewares=(_once,),
            trace_configs=[tracing],
        )

    async def send(self, request: Request, feed: Reader | None = None) -> Reply:
        """The answer; see `Transport`. Raises `ConfigError` for a URL that may not be asked."""
        if self._pooled is None or self._fresh is None:
            raise RuntimeError("HttpTransport is used outside of its `async with`")
        url = permitted(request.url)
        trace = _Trace()
        began = asyncio.get_running_loop().time()
        try:
            return await self._exchange(self._pooled, request, url, feed=feed, trace=trace, began=began)
        except _DeadConnectionError as dead:
            if not trace.reused or request.method != "GET":
                return _unanswered(dead.error, began)
        try:
            return await self._exchange(
                self._fresh, request, url, feed=feed, trace=_Trace(), began=began, resent=True
            )
        except _DeadConnectionError as dead:
            return _unanswered(dead.error, began, resent=True)

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        url: URL,
        *,
        feed: Reader | None,
        trace: _Trace,
        began: float,
        resent: bool = False,
    ) -> Reply:
        ceiling = request.ceiling
        loop = asyncio.get_running_loop()
        left = max(0.001, ceiling.total - (loop.time() - began)) if resent else ceiling.total
        try:
            response = await session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                timeout=_timeouts(left, ceiling.connect, ceiling.read),
                proxy=self._proxies.way_to(url),
                trace_request_ctx=trace,
            )
        except TimeoutError as slow:
            connecting = isinstance(slow, aiohttp.ConnectionTimeoutError)
            word = messages.SLOW_CONNECT if connecting else messages.SLOW_ANSWER
            return _unanswered(word, began, resent=resent)
        except aiohttp.InvalidURL:
            raise _unsendable(url) from None
        except (aiohttp.ClientError, OSError) as broken:
            return _unanswered(_cause(broken), began, resent=resent)
        except ValueError:  # a line break in a header, say
            raise _unsendable(url) from None
        try:
            headers = _headers(response)
            body, error = await _body(response, headers, ceiling, feed, began)
        except BaseException:
            response.close()  # a ceiling, the reader's own error, or cancellation: don't wait for the rest
            raise
        if error:
            response.close()
        else:
            response.release()
        took = loop.time() - began
        received = response.content.total_raw_bytes
        return Reply(response.status, headers, body, took, error, received, resent, request.url)


@lru_cache(maxsize=16)
def _timeouts(total: float, connect: float, read: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, connect=connect, sock_read=read)


async def _body(
    response: aiohttp.ClientResponse,
    headers: Mapping[str, str],
    ceiling: Ceiling,
    feed: Reader | None,
    began: float,
) -> tuple[bytes, str]:
    """The body as far as it is wanted, and what went wrong with it, if anything did."""
    if headers.get("content-encoding", "").strip().lower() not in _DECODED:
        return b"", messages.UNDECODABLE
    good = 200 <= response.status < 300
    feed = feed if good else None
    chunks: list[bytes] = []
    size, pace, content = 0, _Pace(ceiling), response.content
    now = asyncio.get_running_loop().time
    while True:
        asked = now()
        try:
            chunk = await content.readany()
        except TimeoutError:
            if now() - began >= ceiling.total:
                raise _too_slow(f"not whole after {ceiling.total:g} s") from None
            return b"", messages.SLOW_ANSWER
        except (aiohttp.ClientError, OSError):
            return b"", messages.BROKE_OFF
        if not chunk:
            return b"".join(chunks), ""
        size += len(chunk)
        if not good and size > ERROR_BODY:
            response.close()  # the status is known; nobody needs the rest
            return b"".join(chunks), ""
        _stay_below(ceiling, size, content.total_raw_bytes)
        pace.see(len(chunk), now() - asked)
        if feed is None:
            chunks.append(chunk)
        else:
            await feed(chunk)


class _Pace:
    """Tells a drip from an answer. Only the time spent waiting for bytes counts, not our own work on them."""

    def __init__(self, ceiling: Ceiling) -> None:
        self._ceiling = ceiling
        self._size = 0
        self._waited = 0.0

    def see(self, size: int, waited: float) -> None:
        self._size += size
        self._waited += waited
        if self._waited < self._ceiling.rate_over:
            return
        if self._size < self._ceiling.least_rate * self._waited:
            raise _too_slow(f"{self._size} bytes in {self._waited:.0f} s")
        self._size, self._waited = 0, 0.0


def _stay_below(ceiling: Ceiling, size: int, received: int) -> None:
    if size > ceiling.body:
        raise CeilingError(
            f"an answer of more than {ceiling.body} bytes",
            advice="Ask for smaller pages; no page of a roster is that large.",
        )
    if size > ceiling.ratio_after and size > ceiling.ratio * max(1, received):
        raise CeilingError(
            f"an answer that inflates more than {ceiling.ratio:g}-fold",
            advice="Rosters don't compress like that; ask the provider what it serves.",
        )


def _unsendable(url: URL) -> ConfigError:
    return ConfigError(
        "a request can't be made of this URL or these headers",
        where=url.host or "",
        advice="Look for spaces, line breaks or a missing host in the configured URL and secrets.",
    )


def _too_slow(how: str) -> CeilingError:
    error = CeilingError(f"an answer too slow: {how}", advice="Ask for smaller pages, or try later.")
    error.passing = True  # unlike one that is too large
    return error


def _cause(broken: Exception) -> str:  # noqa: PLR0911 - a table, in the order of aiohttp's subclasses
    """One of our words for what aiohttp raised."""
    match broken:
        case aiohttp.ClientConnectorCertificateError():
            return messages.UNTRUSTED
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return messages.TLS_FAILED
        case aiohttp.ClientConnectorDNSError():
            return messages.UNKNOWN_NAME
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return messages.PROXY
        case aiohttp.ClientConnectorError():
            return _connect_error(broken.os_error)
        case aiohttp.ClientResponseError():
            return messages.MALFORMED
        case aiohttp.ClientPayloadError():
            return messages.BROKE_OFF
        case OSError():
            return messages.RESET
        case _:
            return messages.NO_CONNECTION


def _connect_error(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return messages.REFUSED_CONNECTION
    if isinstance(error, ConnectionResetError):
        return messages.RESET
    unreachable = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
    return messages.UNREACHABLE_HOST if error.errno in unreachable else messages.NO_CONNECTION


def _unanswered(error: str, began: float, *, resent: bool = False) -> Reply:
    return Reply(0, {}, b"", asyncio.get_running_loop().time() - began, error, resent=resent)


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


async def _once(request: aiohttp.ClientRequest, go: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Hide a broken connection from aiohttp's own resending, so that it is decided here."""
    try:
        return await go(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError:
        raise _DeadConnectionError(messages.CLOSED) from None
    except (aiohttp.ClientOSError, aiohttp.ClientConnectionResetError):
        raise _DeadConnectionError(messages.RESET) from None


async def _note_reuse(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True
