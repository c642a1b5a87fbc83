"""The seam between a limit and what decides on its pace: whether a request may go now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harvester.pacing.signals import Signals


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
