"""How fast: the generic cell rate algorithm, which spaces requests and lets none burst.

A bucket of tokens would let a night begin with a burst. Here the server's own bucket is the cushion, and
we arrive evenly.
"""

from __future__ import annotations

import math
import re

TAU = 0.02
"""Seconds of lateness that may be caught up: timers are 1 ms coarse, a busy loop is coarser."""

_RATE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*/\s*(s|min|h)\s*", re.ASCII)
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Pacer:
    """Spaces requests by 1/rate. The rate is an argument: what a provider allows changes while we run.

    In any t seconds at a steady rate it lets at most `rate * t + burst + rate * tau` requests go.
    """

    __slots__ = ("_before", "_burst", "_tau")

    def __init__(self, *, burst: float = 1.0, tau: float = TAU) -> None:
        if burst < 1.0 or tau < 0.0:
            raise ValueError("a burst is at least 1 request, and tau at least 0 seconds")
        self._burst = burst
        self._tau = tau
        # When the request before this one was due: its own moment, or at most the slack before it.
        self._before = -math.inf

    def wait(self, now: float, rate: float) -> float:
        """Seconds until a request may go; `rate` may be infinite."""
        return max(0.0, self._before + 1.0 / rate - now)

    def sent(self, now: float, rate: float) -> None:
        """A request goes now."""
        slack = self._tau + (self._burst - 1.0) / rate
        self._before = max(self._before + 1.0 / rate, now - slack)


def parse_rate(text: str) -> float:
    """Requests a second, from `20/s`, `100/min` or `5000/h`. ValueError names these forms."""
    match = _RATE.fullmatch(text)
    rate = float(match[1]) / _SECONDS[match[2]] if match else 0.0
    if not 0.0 < rate < math.inf:
        raise ValueError(f"{text!r} is no rate: write it as 20/s, 100/min or 5000/h, above zero")
    return rate
