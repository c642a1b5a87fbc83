"""Learns how fast a provider may be asked, within what was declared and what its headers say.

Three levers, each a story of its own: the rate (`hidden_rate`), how many at once (`concurrency`), and the
gate that a pause shuts (`gate`). Refusals of requests that went before the last cut are echoes: an overrun is
met once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from harvester.model import Limits
from harvester.pacing.concurrency import START, Concurrency
from harvester.pacing.gate import BREATH, Gate
from harvester.pacing.gcra import Pacer
from harvester.pacing.hidden_rate import HiddenRate
from harvester.pacing.policy import Sent, Standing
from harvester.pacing.signals import LONGEST_WAIT, Signals

MOST = 64
"""Requests at once where no number is declared."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What one night knows, and the next one begins with."""

    rate: float | None = None
    """requests a second that the provider was seen to allow; None: it refused none"""
    refused_at: int | None = None
    """requests at once at which it refused; None: it refused none for that"""


class LearningPolicy:
    """Obeys, and learns. What is declared is never exceeded; what headers say comes before what was learned.

    - Retry-After shuts the gate for everybody behind this limit; then one trial request goes.
    - RateLimit headers: never faster than what is left over what is left of the window.
    - A refusal cuts the pace by a tenth, or blames the number of requests at once.
    """

    __slots__ = ("_concurrency", "_cut_at", "_declared", "_gate", "_pacer", "_rate", "_told", "_told_until")

    def __init__(
        self,
        limits: Limits,
        *,
        jitter: Callable[[], float],
        concurrency: int | None = None,
        known: Learned | None = None,
    ) -> None:
        """`jitter` gives numbers in [0, 1); `concurrency` is the most where the limits declare none."""
        known = known or Learned()
        self._declared = math.inf if limits.rate is None else limits.rate
        self._rate = HiddenRate(known.rate)
        most = limits.concurrency or concurrency or MOST
        start = limits.concurrency or START  # what was granted need not be felt for
        self._concurrency = Concurrency(most, jitter, start=start, refused_at=known.refused_at)
        self._gate = Gate(jitter)
        self._pacer = Pacer()
        self._cut_at = -math.inf
        self._told = math.inf
        self._told_until = -math.inf

    def may_send(self, now: float, in_flight: int) -> float | None:
        if in_flight >= self._concurrency.limit or self._gate.trial_out:
            return None
        return max(0.0, self._gate.until - now, self._pacer.wait(now, self._allowed(now)))

    def sent(self, now: float, in_flight: int) -> Sent:
        self._pacer.sent(now, self._allowed(now))
        self._concurrency.sent(in_flight)
        return Sent(now, in_flight, self._gate.passed())

    def answered(self, now: float, sent: Sent, status: int, signals: Signals, took: float) -> None:
        if signals.throttled:
            self._refused(now, sent, signals)
            return
        if sent.trial:
            self._gate.opened()
        if status:
            self._rate.accepted(now, self._gate.until)
            if status < 500:  # a failure's time says nothing of how busy the server is
                self._concurrency.answered(now, sent.in_flight, took)
        self._listen(now, signals)

    def forgotten(self, sent: Sent) -> None:
        if sent.trial:
            self._gate.trial_lost()

    def standing(self, now: float) -> Standing:
        rate = self._allowed(now)
        until = self._gate.until if self._gate.until > now else None
        return Standing(None if rate == math.inf else rate, self._concurrency.limit, until)

    @property
    def learned(self) -> Learned:
        return Learned(self._rate.learned, self._concurrency.refused_at)

    def _allowed(self, now: float) -> float:
        rate = min(self._declared, self._rate.at(now))
        return min(rate, self._told) if now < self._told_until else rate

    def _listen(self, now: float, signals: Signals) -> None:
        """What is left of the window is spread over what is left of its time."""
        left, reset = signals.remaining, signals.reset_after
        if left is None or reset == 0:
            return
        if left < 1:
            pause = BREATH if reset is None else self._gate.lengthened(min(reset, LONGEST_WAIT))
            self._gate.shut_until(now + pause)
        elif reset is not None:
            self._told, self._told_until = left / reset, now + reset

    def _refused(self, now: float, sent: Sent, signals: Signals) -> None:
        named = signals.retry_after
        if named is None and not signals.remaining and signals.reset_after is not None:
            named = min(signals.reset_after, LONGEST_WAIT)
        if sent.trial:
            self._gate.trial_refused(now, named)
        elif sent.at <= self._cut_at:  # an echo
            if named:
                self._gate.shut_until(now + self._gate.lengthened(named))
        else:
            before = self._allowed(now)
            self._gate.refused(now, named, before)
            if not self._concurrency.refused(now, sent.in_flight, first=self._rate.learned is None):
                self._rate.refused(now, sent.in_flight, before, self._gate.until - now)
            self._cut_at = now
