"""What goes out and what comes back, and the words for what may go wrong between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harvester.http.limits import PAGE, Ceiling

REFUSED_CONNECTION = "connection refused"
UNKNOWN_NAME = "name not resolved"
UNREACHABLE_HOST = "host not reachable"
NO_CONNECTION = "connection failed"
SLOW_CONNECT = "timed out while connecting"
SLOW_ANSWER = "timed out while reading"
RESET = "connection reset"
CLOSED = "connection closed before the answer"
UNTRUSTED = "TLS: certificate not trusted"
TLS_FAILED = "TLS: handshake failed"
MALFORMED = "not an HTTP answer that we accept (more than 128 headers, a line beyond 8 KiB, or no HTTP)"
BROKE_OFF = "body broke off"
UNDECODABLE = "body in an encoding that was not asked for"
PROXY = "the proxy failed"


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What goes out. `url` is exactly what goes on the wire, percent-encoded already."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ceiling: Ceiling = PAGE


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What came back. Headers have lower-case names; those that came twice are joined by commas."""

    status: int
    """0: no answer"""
    headers: Mapping[str, str]
    body: bytes
    took: float
    error: str = ""
    """The cause when status is 0, or when the body broke off."""
    received: int = 0
    """bytes of the body as they came, compressed"""
    resent: bool = False
    """Whether it went out twice, because an idle connection turned out to be dead."""
    url: str = ""
    """What was asked: links are judged against it."""


Reader = Callable[[bytes], Awaitable[None]]
"""Takes a body in decoded chunks; the next one waits until it has taken this one."""


class Transport(Protocol):
    """Sends one request. Never raises for the wire; a breached ceiling raises `CeilingError`."""

    async def send(self, request: Request, feed: Reader | None = None) -> Reply:
        """The answer. With `feed`, a 2xx body goes there in decoded chunks instead of into `Reply.body`."""
        ...
