"""The one clock: time passed in, so that a whole run can be simulated on a virtual one."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import anyio


class Clock(Protocol):
    """What time it is, and waiting for it to pass. Seconds throughout."""

    def now(self) -> float:
        """Monotonic: for waits, rates and durations."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch: for what is written down, and for HTTP dates."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The machine's clocks. `now` is the event loop's, so that a simulated loop simulates us too."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(max(0.0, seconds))
