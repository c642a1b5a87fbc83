"""Work that would hold up the event loop: compression, hashing, fsync. Passed in, as the clock is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking call off the event loop."""

    async def __call__(self, call: Callable[[], T]) -> T: ...


class Threads:
    """A few worker threads: enough to keep the disk busy while the loop goes on."""

    def __init__(self, count: int = 4) -> None:
        self._count = count
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, call: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._count)
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)
