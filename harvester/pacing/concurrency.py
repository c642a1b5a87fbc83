"""How many requests at once: as many as do not make the server slower, and fewer than it refuses.

By latency, as in Netflix's and Envoy's adaptive concurrency: the limit shrinks where answers take longer than
they did with few requests out, and grows by its square root. What `few` takes is measured anew each minute,
with a quarter of the limit: pages deep in a collection take longer for reasons of their own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

START = 8
"""Requests at once to begin with: those of one pull."""
LEAST = 8
"""Latency alone lets it shrink no further: a busy machine of our own makes answers late as well."""
_TOLERANCE = 1.25
_WINDOW = 0.25
_SLOWED = 0.8
_GROWTH = 1.5
_MEASURE_EACH = 60.0
_MEASURED_BY = 16, 40
"""Answers at least and at most: of fewer, the median says little where answers vary."""
_PROBE_AFTER, _PROBE_AFTER_MOST = 60.0, 1800.0
_PROBED_BY = 150
_FEWEST = 3
_MANY = 1.12


class Concurrency:
    """A limit between 1 and `most`; `refused_at` is a number in flight at which the server once refused."""

    __slots__ = (
        "_base",
        "_jitter",
        "_limit",
        "_measure_at",
        "_measuring",
        "_out",
        "_overruns",
        "_probe_after",
        "_probed",
        "_refused_since",
        "_skip",
        "_slow_start",
        "_took",
        "_usual",
        "_window",
        "most",
        "refused_at",
    )

    def __init__(
        self, most: int, jitter: Callable[[], float], *, start: int = START, refused_at: int | None = None
    ) -> None:
        self.most = most
        self.refused_at = refused_at
        self._jitter = jitter
        self._limit = float(max(1, min(most, start, (refused_at or most + 1) - 1)))
        self._slow_start = True
        self._base: float | None = None  # seconds that an answer takes with few requests out
        self._took: list[float] = []
        self._window = -math.inf
        self._measure_at = math.inf
        self._measuring: int | None = None  # the limit while the base is measured
        self._skip = 0
        self._refused_since = -math.inf
        self._probe_after = _PROBE_AFTER
        self._probed = 0  # good answers at the number that was refused once; 0: it is not tried
        self._out = 0
        self._usual = 0.0
        self._overruns: deque[tuple[int, float]] = deque(maxlen=3)  # (in flight, over what is usual)

    @property
    def limit(self) -> int:
        return int(self._limit) if self._measuring is None else self._measuring

    def sent(self, in_flight: int) -> None:
        self._out = in_flight
        self._usual += 0.02 * (in_flight - self._usual)

    def answered(self, now: float, in_flight: int, took: float) -> None:
        """A good answer after `took` seconds; `in_flight` were out when its request went."""
        self._count_probe(now, in_flight)
        self._took.append(took)
        if self._measuring is not None:
            self._measured(now)
        elif now >= self._measure_at and not self._slow_start and int(self._limit) > LEAST:
            self._measuring, self._skip = max(1, int(self._limit) // 4), self._out
            self._took.clear()
        elif now - self._window >= _WINDOW and len(self._took) >= max(4, min(32, int(self._limit) // 2)):
            self._adapt(now)

    def refused(self, now: float, in_flight: int, *, first: bool) -> bool:
        """A new overrun; whether the number of requests at once is to blame, and not their rate."""
        again = self.refused_at is not None and in_flight >= self.refused_at
        if again:
            self._probe_after = min(_PROBE_AFTER_MOST, 2.0 * self._probe_after)
        blamed = not first and in_flight >= _FEWEST and (again or self._is_always_many(in_flight))
        if blamed:
            self.refused_at = min([in_flight, *(number for number, _ in self._overruns)])
            self._limit = max(1.0, min(self._limit, self.refused_at - 1.0))
            self._refused_since, self._probed = now, 0
            self._overruns.clear()
        self._slow_start = False
        self._measure_at = min(self._measure_at, now + _MEASURE_EACH)
        return blamed

    def _is_always_many(self, in_flight: int) -> bool:
        """Whether refusals come only while more are out than usual: a rate does not care how many are."""
        self._overruns.append((in_flight, in_flight / max(1.0, self._usual)))
        full = len(self._overruns) == self._overruns.maxlen
        return full and min(share for _, share in self._overruns) >= _MANY

    def _count_probe(self, now: float, in_flight: int) -> None:
        if self._probed and self.refused_at is not None and in_flight >= self.refused_at:
            self._probed += 1
            if self._probed > _PROBED_BY:
                self.refused_at += 1
                self._probed, self._refused_since, self._probe_after = 0, now, _PROBE_AFTER

    def _measured(self, now: float) -> None:
        """The base anew, from the answers to requests that went while few were out."""
        least, most = _MEASURED_BY
        enough = max(least, min(most, 2 * self.limit))
        if len(self._took) < enough + self._skip:
            return
        self._base = _median(self._took[-enough:])
        self._measuring = None
        self._measure_at = now + _MEASURE_EACH * (1.0 + 0.1 * self._jitter())
        self._took, self._window = [], now

    def _adapt(self, now: float) -> None:
        median = _median(self._took)
        self._took, self._window = [], now
        if self._base is None or median < self._base:
            self._base = (
                median if self._base is None or self._slow_start else 0.98 * self._base + 0.02 * median
            )
        if self._out + 1 < self._limit / 2:
            return  # held by the pace, or by lack of work: says nothing of the limit
        gradient = min(1.0, _TOLERANCE * self._base / max(median, 1e-9))
        if self._slow_start:
            if gradient >= _SLOWED:
                self._limit = min(self._highest(now), self._limit * _GROWTH)
                return
            self._slow_start = False
            self._measure_at = now + _MEASURE_EACH
        wanted = max(0.5, gradient) * self._limit + math.sqrt(self._limit)
        least = min(LEAST, self.most, self._limit)
        self._limit = max(least, min(self._highest(now), 0.7 * self._limit + 0.3 * wanted))

    def _highest(self, now: float) -> float:
        """Where it was refused once, only a rare probe goes."""
        if self.refused_at is None:
            return self.most
        if now - self._refused_since > self._probe_after and not self._probed:
            self._probed = 1
        return max(1, min(self.most, self.refused_at if self._probed else self.refused_at - 1))


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
