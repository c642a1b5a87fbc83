"""The rate that a provider enforces and never told us, learned from its refusals.

CUBIC, as TCP and AWS's adaptive retries have it: cut by a tenth at a refusal, rise quickly towards the rate
that was seen, linger there, then probe beyond. What is ours is how often it may probe: the period is bought
from a budget of refusals, four in a thousand requests.

Between two refusals the provider's bucket goes from empty to empty, so what it accepted in between, over the
time between, is its rate; the same holds for a window that is fixed.
"""

from __future__ import annotations

import math
from collections import deque

BUDGET = 0.004
"""Refusals for each request that the probing may cost."""
_BETA = 0.9
_SHORTEST, _LONGEST = 4.0, 60.0
"""Seconds from a cut until the rate is reached again."""
_UNSETTLED = 12.0
"""The longest of these while fewer than two measurements were taken."""
_ENOUGH_SECONDS, _ENOUGH_REQUESTS = 10.0, 20
"""Of a stretch between two refusals that measures the rate."""
_TOO_SHORT = 1.5
_IDLE = 3.0
_OUTRUN = 1.05
_LEAP = 1.25
_OF_LATE, _MORE = 0.96, 1.1
_WORTH = 20.0
"""Times that a period is as long as the pause that its end costs."""
_OVERFLOW = 2.0
"""Seconds."""
_SLOWEST = 0.02
_UNKNOWN = 8.0


class HiddenRate:
    """Requests a second, at most. Infinite until the first refusal, unless another night has learned it."""

    __slots__ = (
        "_accepted",
        "_cut_at",
        "_estimates",
        "_last",
        "_meter",
        "_period",
        "_since",
        "_wanted",
    )

    def __init__(self, known: float | None = None) -> None:
        self._wanted = known  # the rate to come back to
        self._period = _UNSETTLED
        self._cut_at: float | None = None
        self._estimates: deque[float] = deque(maxlen=4)
        self._meter = Meter()
        self._accepted = 0  # since the last refusal, or since there was nothing to do
        self._since = self._last = -math.inf

    @property
    def learned(self) -> float | None:
        """What is taken for the provider's rate; None: it has refused nothing yet."""
        return self._wanted

    def at(self, now: float) -> float:
        """The rate to keep at a moment."""
        wanted = self._wanted
        if wanted is None:
            return math.inf
        if self._cut_at is None:
            self._cut_at = now  # what was learned another night: begin as after a cut
        x = (now - self._cut_at - self._period) / self._period
        if x < 0.0:
            return max(_SLOWEST, wanted * (1.0 + (1.0 - _BETA) * x**3))
        # First a gentle probe, then twice as fast each period; never far beyond what is really answered.
        rate = wanted * (1.0 + 0.1 * x) if x <= 1.0 else wanted * 1.1 * 2.0 ** min(x - 1.0, 10.0)
        return min(rate, max(1.05 * wanted, 2.0 * self._meter.rate(now)))

    def accepted(self, now: float, shut_until: float) -> None:
        """An answer that was no refusal. `shut_until`: when a pause that was asked for last ended."""
        if (
            now - max(self._last, shut_until) > _IDLE
        ):  # there was nothing to do: that says nothing of the rate
            self._since, self._accepted = now, 0
        self._last = now
        self._accepted += 1
        self._meter.count(now)

    def refused(self, now: float, in_flight: int, kept: float, pause: float) -> None:
        """A new overrun.

        `in_flight`: requests that were out; `kept`: the rate that was kept until now; `pause`: the seconds
        that it costs.
        """
        rate, answered = min(self.at(now), kept), self._meter.rate(now)
        stretch = now - self._since if self._accepted else 0.0
        seen = self._accepted / stretch if stretch > 0.0 else 0.0
        enough = stretch >= _ENOUGH_SECONDS and self._accepted >= _ENOUGH_REQUESTS
        if self._wanted is None:
            # Where nothing was answered yet, nothing is known: as if a pull's requests took a second each.
            guess = max(_UNKNOWN, in_flight) if kept == math.inf else 0.5 * kept
            self._settle(now, pause, min(rate, answered or guess))
        elif enough and seen > _OUTRUN * self._wanted:  # it allows more than it did
            self._estimates.clear()
            self._settle(now, pause, min(rate, max(seen, min(_BETA * answered, _LEAP * seen))))
        elif enough:
            measured = self._measured(seen)
            # What was measured has slow stretches in it, in which a bucket may have overflowed.
            of_late = min(_OF_LATE * answered, _MORE * measured)
            self._settle(now, pause, min(rate, max(measured, of_late)))
        elif stretch >= _TOO_SHORT:
            self._settle(now, pause, max(0.5 * rate, min(0.9 * rate, seen)))

    def _measured(self, rate: float) -> float:
        """The largest of the last four measurements, unless the last two say that it went down."""
        self._estimates.append(rate)
        latest = list(self._estimates)[-2:]
        if len(self._estimates) > 1 and max(latest) < 0.8 * max(self._estimates):
            self._estimates.clear()
            self._estimates.extend(latest)
        return max(self._estimates)

    def _settle(self, now: float, pause: float, rate: float) -> None:
        self._wanted = max(_SLOWEST, rate)
        self._period = min(_LONGEST, max(_SHORTEST, 1.0 / (BUDGET * self._wanted), _WORTH * pause))
        if len(self._estimates) < 2:
            self._period = min(self._period, _UNSETTLED)
        self._cut_at, self._accepted = now, 0
        # A short pause lets a bucket overflow: it is no time in which the rate was to be had.
        self._since = now + min(pause, _OVERFLOW)


class Meter:
    """Answers a second, of late: an average that forgets in 3 s."""

    __slots__ = ("_began", "_last", "_value")

    MEMORY = 3.0

    def __init__(self) -> None:
        self._value = 0.0
        self._last = self._began = -math.inf

    def count(self, now: float) -> None:
        if self._began == -math.inf:
            self._began = self._last = now
        self._value = self._value * math.exp((self._last - now) / self.MEMORY) + 1.0 / self.MEMORY
        self._last = now

    def rate(self, now: float) -> float:
        if self._began == -math.inf:
            return 0.0
        # Divided by what an even stream since the beginning would have filled it to.
        filled = 1.0 - math.exp(-max(0.5, now - self._began) / self.MEMORY)
        return self._value * math.exp((self._last - now) / self.MEMORY) / filled
