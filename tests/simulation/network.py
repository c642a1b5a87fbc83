"""A network in memory, under aiohttp's own client and server: every byte travels in the loop's virtual time.

Bytes are cut into pieces at random and arrive in order, each strictly later than the one before. A connection
may be refused, never answer, stall, or break in the middle, by the seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler


@dataclass
class Weather:
    """What connections meet, as probabilities for each; the delays are in seconds."""

    rng: random.Random
    refuse: float = 0.0
    black_hole: float = 0.0
    """the server never hears of it"""
    reset: float = 0.0
    """breaks after some bytes of an answer"""
    stall: float = 0.0
    """the answer stops in the middle, and nobody says so"""
    slowest: float = 0.05
    met: dict[str, int] = field(default_factory=dict)

    def falls(self, fault: str) -> bool:
        if self.rng.random() >= getattr(self, fault):
            return False
        self.met[fault] = self.met.get(fault, 0) + 1
        return True


class Wire(asyncio.Transport):
    """One end of a connection: what is written here arrives at the other end's protocol."""

    def __init__(self, weather: Weather, protocol: asyncio.Protocol, name: str) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self._loop = asyncio.get_running_loop()
        self._weather = weather
        self._protocol = protocol
        self._name = name
        self._next = 0.0
        self._closing = False
        self._lost = False
        self._paused = False
        self._held: list[bytes] = []
        self.other: Wire
        self.breaks_after = -1
        """bytes written here until the connection breaks; -1: never"""
        self.stalls_after = -1

    # ── sending ──

    def write(self, data: Any) -> None:
        if self._closing or self._lost:
            return
        rest = bytes(data)
        if self.stalls_after >= 0:
            rest, self.stalls_after = rest[: self.stalls_after], max(0, self.stalls_after - len(rest))
        if 0 <= self.breaks_after < len(rest):
            self._send(rest[: self.breaks_after])
            self._later(self.abort)
            self.breaks_after = -1
            return
        if self.breaks_after >= 0:
            self.breaks_after -= len(rest)
        self._send(rest)

    def _send(self, data: bytes) -> None:
        rng = self._weather.rng
        while data:
            size = len(data) if rng.random() < 0.5 else rng.randrange(1, len(data) + 1)
            piece, data = data[:size], data[size:]
            self._later(lambda piece=piece: self.other.arrive(piece))  # type: ignore[misc]

    def _later(self, what: Callable[[], object]) -> None:
        """Everything that leaves this end arrives in order, each thing strictly later than the last."""
        delay = self._weather.rng.random() * self._weather.slowest
        self._next = max(self._next + 1e-6, self._loop.time() + delay)
        self._loop.call_at(self._next, what)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def can_write_eof(self) -> bool:
        return False

    # ── receiving ──

    def arrive(self, data: bytes) -> None:
        if self._lost:
            return
        if self._paused:
            self._held.append(data)
        else:
            self._protocol.data_received(data)

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        while self._held and not self._paused:
            self._protocol.data_received(self._held.pop(0))

    def is_reading(self) -> bool:
        return not self._paused

    # ── ending ──

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self.lose, None)
            self._later(lambda: self.other.lose(None))

    def abort(self) -> None:
        self._closing = True
        self.lose(ConnectionResetError("cut"))
        self.other.lose(ConnectionResetError("cut by the other end"))

    def lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self._protocol.connection_lost(error)

    def is_closing(self) -> bool:
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.Protocol:
        return self._protocol


class SimulatedConnector(aiohttp.BaseConnector):
    """aiohttp's pool of connections, over wires to a server in the same loop."""

    def __init__(
        self, weather: Weather, serve: Callable[[], asyncio.Protocol], *, force_close: bool = False, **_: Any
    ) -> None:
        super().__init__(limit=0, force_close=force_close)
        self._weather = weather
        self._serve = serve

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        weather = self._weather
        await asyncio.sleep(weather.rng.random() * weather.slowest)
        if weather.falls("refuse"):
            error = ConnectionRefusedError(111, "refused")
            raise aiohttp.ClientConnectorError(req.connection_key, error)
        client, server = self._factory(), self._serve()
        near, far = Wire(weather, client, "client"), Wire(weather, server, "server")
        near.other, far.other = far, near
        if weather.falls("black_hole"):
            near.stalls_after = 0
        elif weather.falls("reset"):
            far.breaks_after = weather.rng.randrange(20_000)
        elif weather.falls("stall"):
            far.stalls_after = weather.rng.randrange(20_000)
        server.connection_made(far)
        client.connection_made(near)
        return client
