"""Whether a request may go now: what was declared, and what the provider's answers say.

`Policy` is the seam. `DeclaredPolicy` obeys and backs off; a pacer that learns the hidden limit will take
its place (docs/architecture.md), and needs to know of each request when it went and how many were out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harvester.model import Limits
from harvester.pacing.gcra import Pacer
from harvester.pacing.signals import LONGEST_WAIT, Signals

CONCURRENCY = 16
"""Requests at once where neither a rate nor a number is declared."""
PACED_CONCURRENCY = 64
"""The same where a rate is declared: the rate binds, this only bounds what a slow server piles up."""

_BREATH = 0.3
_SOON = 2.0
_LONGEST_PAUSE = 16.0
_CUT = 0.75
_DOUBLING = 60.0
_MEMORY = 3.0
_SLOWEST = 0.02


@dataclass(slots=True)
class Sent:
    """One request on its way, as the policy remembers it."""

    at: float
    in_flight: int
    """how many were out, this one included"""
    trial: bool = False
    """Whether it is the one that finds out if the gate may stay open."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy allows at present, for reports."""

    rate: float | None
    concurrency: int
    gate_until: float | None
    """None: the gate is open"""


class Policy(Protocol):
    """Rate and concurrency of one limit. Time is passed in; nothing here waits."""

    def may_send(self, now: float, in_flight: int) -> float | None:
        """0: now. Otherwise the seconds to wait; None: not before another request comes back."""
        ...

    def sent(self, now: float, in_flight: int) -> Sent:
        """A request goes, as `may_send` allowed; `in_flight` counts it."""
        ...

    def answered(self, now: float, sent: Sent, status: int, signals: Signals, took: float) -> None:
        """It came back after `took` seconds on the wire; status 0: it did not."""
        ...

    def forgotten(self, sent: Sent) -> None:
        """It was given up without an answer."""
        ...

    def standing(self, now: float) -> Standing: ...


class _Meter:
    """Answers a second, of late: an average that forgets in 3 s."""

    __slots__ = ("_began", "_last", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._last = self._began = -math.inf

    def count(self, now: float) -> None:
        if self._began == -math.inf:
            self._began = self._last = now
        self._value = self._value * math.exp((self._last - now) / _MEMORY) + 1.0 / _MEMORY
        self._last = now

    def rate(self, now: float) -> float:
        if self._began == -math.inf:
            return 0.0
        # Divided by what an even stream since the beginning would have filled it to.
        filled = 1.0 - math.exp(-max(0.5, now - self._began) / _MEMORY)
        return self._value * math.exp((self._last - now) / _MEMORY) / filled


class DeclaredPolicy:
    """Declared rate and concurrency, plus obedience.

    - Retry-After shuts the gate for everybody behind this limit (+0..3 %). Then ONE trial request goes;
      refused, the gate shuts for longer.
    - A refusal that names no time: first a breath; a second one within 2 s shuts the gate for 1 s, and each
      refused trial for twice as long, up to 16 s.
    - RateLimit headers: never faster than what is left over what is left of the window.
    - A refusal cuts the pace by a quarter to a half; it doubles again in a minute, up to what is declared.
      One cut per overrun: refusals of requests that went before the cut are echoes.
    """

    __slots__ = (
        "_answers",
        "_concurrency",
        "_cut",
        "_cut_at",
        "_declared",
        "_gate",
        "_jitter",
        "_pacer",
        "_refusals",
        "_told",
        "_told_until",
        "_trial",
        "_trial_out",
    )

    def __init__(
        self, limits: Limits, *, jitter: Callable[[], float], concurrency: int | None = None
    ) -> None:
        """`jitter` gives numbers in [0, 1); `concurrency` is the default where the limits declare none."""
        default = concurrency or (CONCURRENCY if limits.rate is None else PACED_CONCURRENCY)
        self._declared = math.inf if limits.rate is None else limits.rate
        self._concurrency = limits.concurrency or default
        self._jitter = jitter
        self._pacer = Pacer()
        self._answers = _Meter()
        self._cut = math.inf
        self._cut_at = -math.inf
        self._told = math.inf
        self._told_until = -math.inf
        self._gate = -math.inf
        self._refusals = 0  # of trials, in a row
        self._trial = False
        self._trial_out = False

    def may_send(self, now: float, in_flight: int) -> float | None:
        if in_flight >= self._concurrency or self._trial_out:
            return None
        return max(0.0, self._gate - now, self._pacer.wait(now, self._rate(now)))

    def sent(self, now: float, in_flight: int) -> Sent:
        self._pacer.sent(now, self._rate(now))
        self._trial_out = self._trial
        return Sent(now, in_flight, self._trial)

    def answered(self, now: float, sent: Sent, status: int, signals: Signals, took: float) -> None:  # noqa: ARG002 - a policy that learns judges by latency
        if signals.throttled:
            self._refused(now, sent, signals)
            return
        if sent.trial:
            self._trial = self._trial_out = False
            self._refusals = 0
        if status:
            self._answers.count(now)
        self._listen(now, signals)

    def forgotten(self, sent: Sent) -> None:
        if sent.trial:
            self._trial_out = False

    def standing(self, now: float) -> Standing:
        rate = self._rate(now)
        gate = self._gate if self._gate > now else None
        return Standing(None if rate == math.inf else rate, self._concurrency, gate)

    def _rate(self, now: float) -> float:
        rate = self._declared
        if self._cut < math.inf:
            rate = min(rate, self._cut * 2.0 ** min((now - self._cut_at) / _DOUBLING, 64.0))
        if now < self._told_until:
            rate = min(rate, self._told)
        return rate

    def _listen(self, now: float, signals: Signals) -> None:
        """What is left of the window is spread over what is left of its time."""
        left, reset = signals.remaining, signals.reset_after
        if left is None or reset == 0:
            return
        if left < 1:
            self._shut_until(
                now + (_BREATH if reset is None else min(reset, LONGEST_WAIT) * self._lengthened())
            )
        elif reset is not None:
            self._told, self._told_until = left / reset, now + reset

    def _refused(self, now: float, sent: Sent, signals: Signals) -> None:
        named = signals.retry_after
        if named is None and not signals.remaining and signals.reset_after is not None:
            named = min(signals.reset_after, LONGEST_WAIT)
        if sent.trial:
            self._trial_out = False
            self._refusals += 1
            self._shut(now, named)
        elif sent.at <= self._cut_at:  # an echo
            if named:
                self._shut_until(now + named * self._lengthened())
        else:
            soon = now - self._gate < _SOON
            self._slow_down(now)
            if named or soon:
                self._shut(now, named)
            else:  # a bucket that ran empty: a breath fills it
                self._shut_until(now + min(_BREATH, 2.0 / self._cut))

    def _shut(self, now: float, named: float | None) -> None:
        """Shut the gate for the time named (after refused trials 2, 4 .. 16 s at least); then one may go."""
        pause = min(_LONGEST_PAUSE, 2.0 ** min(self._refusals, 8)) * (0.75 + self._jitter() / 4.0)
        if named:
            pause = max(named * self._lengthened(), pause if self._refusals else 0.0)
        self._shut_until(now + pause)
        self._trial = True

    def _shut_until(self, moment: float) -> None:
        self._gate = max(self._gate, moment)

    def _lengthened(self) -> float:
        """A little more than was named, so that not all clients of this provider come back at once."""
        return 1.0 + 0.03 * self._jitter()

    def _slow_down(self, now: float) -> None:
        rate, answered = self._rate(now), self._answers.rate(now)
        if rate < math.inf:
            cut = rate * min(_CUT, max(0.5, _CUT * answered / rate))
        else:
            # Nothing was answered yet, so nothing is known: as if every slot were busy for a second.
            cut = _CUT * (max(1.0, answered) if answered else self._concurrency)
        self._cut, self._cut_at = max(_SLOWEST, cut), now
