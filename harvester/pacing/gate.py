"""The gate of a limit: shut while a provider asks for a pause, then opened for one trial request alone."""

from __future__ import annotations

import math
from collections.abc import Callable

BREATH = 0.3
"""Seconds at most for which a bucket that ran empty is let fill."""
_SOON = 2.0
_LONGEST = 16.0


class Gate:
    """Shut until a moment. After a real pause ONE trial goes; refused, the next pause is longer."""

    __slots__ = ("_jitter", "_refusals", "trial", "trial_out", "until")

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._refusals = 0  # of trials, in a row
        self.until = -math.inf
        self.trial = False
        """Whether the next request finds out if the gate may stay open."""
        self.trial_out = False

    def passed(self) -> bool:
        """A request goes through; whether it is the trial."""
        self.trial_out = self.trial
        return self.trial

    def opened(self) -> None:
        """The trial came back with an answer."""
        self.trial = self.trial_out = False
        self._refusals = 0

    def trial_lost(self) -> None:
        """The trial was given up: another request makes it."""
        self.trial_out = False

    def trial_refused(self, now: float, named: float | None) -> None:
        self.trial_out = False
        self._refusals += 1
        self.shut(now, named)

    def refused(self, now: float, named: float | None, rate: float) -> None:
        """The first refusal of an overrun: a breath lets a bucket fill, and soon after one a real pause."""
        if named or now - self.until < _SOON:
            self.shut(now, named)
        else:
            self.shut_until(now + min(BREATH, 2.0 / rate))

    def shut(self, now: float, named: float | None) -> None:
        """Shut for the time named (after refused trials 2, 4 .. 16 s at least); then one may go."""
        pause = min(_LONGEST, 2.0 ** min(self._refusals, 8)) * (0.75 + self._jitter() / 4.0)
        if named:
            pause = max(self.lengthened(named), pause if self._refusals else 0.0)
        self.shut_until(now + pause)
        self.trial = True

    def shut_until(self, moment: float) -> None:
        self.until = max(self.until, moment)

    def lengthened(self, seconds: float) -> float:
        """A little more than was named, so that not all clients of this provider come back at once."""
        return seconds * (1.0 + 0.03 * self._jitter())
