"""Servers with limits that they never tell, and a backlog of tenants: how well does the governor do?

The server's side is written without a look at the client's: a token bucket, a fixed window, a cap of requests
at once, a few workers with a queue, or several of these; with and without Retry-After; limits may change in
the night. The governor is the real one, on the virtual clock.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from harvester.governor import Governor
from harvester.model import Limits
from tests import virtual

WARM = 60.0
JAIN_OVER = 10.0
ENOUGH = 8
"""Answers for each tenant in such a window, or one more or less says more of the window than of fairness."""
WINDOW = 8
"""Requests that a tenant has out or in line."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a server enforces; seconds, and requests a second."""

    rate: float | None = None
    burst: float = 1.0
    """requests"""
    window: float | None = None
    """of a fixed window, in which `rate * window` requests may come"""
    cap: int | None = None
    """requests at once"""
    workers: int | None = None
    """that answer; others wait in a queue"""
    service: float = 0.15
    spread: float = 0.5
    """of the time of service, over its mean"""
    trip: float = 0.03
    """there and back"""
    retry_after: bool = False
    changes: tuple[tuple[float, float], ...] = ()
    """(moment, the rate from then on)"""

    def rate_at(self, moment: float) -> float:
        assert self.rate is not None
        return next((rate for since, rate in reversed(self.changes) if moment >= since), self.rate)

    def ideal(self, begin: float, end: float) -> float:
        """Answers that nobody could exceed in that time, whatever they did."""
        steady = min(
            (self.workers or math.inf) / self.service, (self.cap or math.inf) / (self.service + self.trip)
        )
        if self.rate is None:
            return steady * (end - begin)
        edges = [begin, *(at for at, _ in self.changes if begin < at < end), end]
        return sum(min(steady, self.rate_at(a)) * (b - a) for a, b in pairwise(edges))


@dataclass(slots=True)
class Server:
    hidden: Hidden
    dice: random.Random
    _tokens: float = field(init=False)
    _filled: float = 0.0
    _window: int = -1
    _in_window: int = 0
    _inside: int = 0
    _free: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tokens = self.hidden.burst
        self._free = [0.0] * (self.hidden.workers or 0)

    async def serve(self) -> tuple[int, dict[str, str], float]:
        """Status, headers and seconds of one request."""
        loop, hidden = asyncio.get_running_loop(), self.hidden
        began = loop.time()
        await asyncio.sleep(hidden.trip / 2)
        wait = self._refusal(loop.time())
        if wait is not None:
            await asyncio.sleep(hidden.trip / 2 + 0.002)
            headers = {"retry-after": str(math.ceil(wait))} if hidden.retry_after else {}
            return 429, headers, loop.time() - began
        self._inside += 1
        await asyncio.sleep(self._until_served(loop.time()))
        self._inside -= 1
        await asyncio.sleep(hidden.trip / 2)
        return 200, {}, loop.time() - began

    def _refusal(self, now: float) -> float | None:
        """Seconds until a request may come again, if this one may not."""
        hidden = self.hidden
        if hidden.cap is not None and self._inside >= hidden.cap:
            return 1.0
        if hidden.rate is None:
            return None
        rate = hidden.rate_at(now)
        if hidden.window is not None:
            number = int(now // hidden.window)
            if number != self._window:
                self._window, self._in_window = number, 0
            if self._in_window >= max(1, int(rate * hidden.window)):
                return (number + 1) * hidden.window - now
            self._in_window += 1
            return None
        self._tokens = min(hidden.burst, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / rate
        self._tokens -= 1.0
        return None

    def _until_served(self, now: float) -> float:
        hidden = self.hidden
        sigma = math.sqrt(math.log(1.0 + hidden.spread**2))
        service = self.dice.lognormvariate(math.log(hidden.service) - sigma**2 / 2, sigma)
        if not self._free:
            return service
        begin = max(now, heapq.heappop(self._free))
        heapq.heappush(self._free, begin + service)
        return begin + service - now


@dataclass(slots=True)
class Told:
    """How a night went, after it had warmed up."""

    goodput: float
    """of the ideal"""
    refused: float
    """of all answers"""
    median: float
    """seconds of a good answer"""
    jain: float
    """the worst of all windows of 10 s"""


async def night(
    hidden: Hidden, seed: int, *, lasts: float, tenants: int, limits: Limits | None = None
) -> Told:
    """Tenants without end of work behind one governor."""
    loop = asyncio.get_running_loop()
    governor = Governor(
        "hidden",
        limits or Limits(),
        clock=virtual.VirtualClock(),
        rng=random.Random(seed),
        ledger=None,
        observe=lambda _: None,
    )
    server = Server(hidden, random.Random(seed + 1))
    answers: Counter[int] = Counter()
    took: list[float] = []
    served: dict[int, Counter[str]] = {}

    async def ask(tenant: str) -> None:
        while loop.time() < lasts:
            async with governor.permit(tenant) as permit:
                status, headers, seconds = await server.serve()
                permit.answered(status, headers, seconds)
            if WARM <= loop.time() < lasts:
                answers[status] += 1
                if status == 200:
                    took.append(seconds)
                    served.setdefault(int(loop.time() // JAIN_OVER), Counter())[tenant] += 1

    names = [f"t{number}" for number in range(tenants)]
    async with asyncio.TaskGroup() as group:
        for name in names:
            for _ in range(WINDOW):
                group.create_task(ask(name))
    measured = [window for window in list(served.values())[:-1] if window.total() >= ENOUGH * tenants]
    return Told(
        answers[200] / hidden.ideal(WARM, lasts),
        answers[429] / max(1, answers.total()),
        sorted(took)[len(took) // 2] if took else math.inf,
        min((_jain([window[name] for name in names]) for window in measured), default=1.0),
    )


def _jain(shares: list[int]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)) if any(shares) else 1.0


def any_hidden(seed: int) -> tuple[Hidden, float, int]:
    """A server at random, how long its night lasts, and how many tenants wait."""
    dice = random.Random(seed)
    rate = 10.0 ** dice.uniform(0.0, 3.0)
    trip = dice.uniform(0.005, 0.1)
    service = min(dice.uniform(0.02, 0.4), 40.0 / rate)  # or 64 requests at once could not reach the rate
    common = {"service": service, "trip": min(trip, 10.0 / rate), "retry_after": dice.random() < 0.5}
    kind = dice.choice(["bucket", "bucket", "window", "cap", "slow", "changing", "bucket and slow"])
    burst = max(1.0, rate * 10.0 ** dice.uniform(-1.0, 1.0))
    lasts = WARM + min(600.0, max(120.0, 20_000.0 / rate))
    match kind:
        case "bucket":
            hidden = Hidden(rate=rate, burst=burst, **common)
        case "window":
            hidden = Hidden(rate=rate, window=dice.choice([10.0, 60.0]), **common)
        case "cap":
            hidden = Hidden(cap=dice.randint(2, 40), **common)
            rate = hidden.ideal(0.0, 1.0)
        case "slow":
            hidden = Hidden(workers=dice.randint(2, 30), **common)
            rate = hidden.ideal(0.0, 1.0)
        case "changing":
            at = [WARM + (lasts - WARM) * share for share in (1 / 3, 2 / 3)]
            changes = ((at[0], rate / dice.uniform(1.2, 3.0)), (at[1], rate))
            hidden = Hidden(rate=rate, burst=burst, changes=changes, **common)
        case _:
            workers = max(1, int(rate * service * dice.uniform(0.5, 1.5)))
            hidden = Hidden(rate=rate, burst=burst, workers=workers, **common)
    return hidden, lasts, max(2, min(10, int(rate)))
