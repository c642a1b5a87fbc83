"""What can hold requests back: a host, or one tenant's own server, with its pace and its circuit together."""

from __future__ import annotations

import math

from harvester.pacing.breaker import Breaker
from harvester.pacing.policy import Policy, Sent
from harvester.pacing.signals import Signals


class Limit:
    """A policy (if this server has a pace of its own), a circuit, and how many requests are out."""

    __slots__ = ("breaker", "in_flight", "last_failure", "policy", "served")

    def __init__(self, policy: Policy | None) -> None:
        self.policy = policy
        self.breaker = Breaker()
        self.in_flight = 0
        self.served = False
        """Whether there was ever an answer that was no failure."""
        self.last_failure = 0
        """The status of the last answer that was a failure; 0: there was none, or no answer."""

    def wait(self, now: float) -> float:
        """Seconds until a request may go; infinite: another must come back first."""
        circuit = self.breaker.wait(now)
        if circuit is None:
            return math.inf
        if self.policy is None:
            return circuit
        pace = self.policy.may_send(now, self.in_flight)
        return math.inf if pace is None else max(circuit, pace)

    def sent(self, now: float) -> Ticket:
        """A request goes, as `wait` allowed. What is returned comes back with its answer."""
        self.in_flight += 1
        sent = None if self.policy is None else self.policy.sent(now, self.in_flight)
        return sent, self.breaker.sent()

    def answered(
        self,
        now: float,
        ticket: Ticket,
        status: int,
        signals: Signals,
        took: float,
        *,
        failed: bool,
        may_open: bool = True,
    ) -> None:
        sent, trial = ticket
        self.in_flight -= 1
        if failed:
            self.last_failure = status
        else:
            self.served = True
        self.breaker.answered(now, failed=failed, trial=trial, may_open=may_open)
        if self.policy is not None and sent is not None:
            self.policy.answered(now, sent, status, signals, took)

    def forgotten(self, ticket: Ticket) -> None:
        """A request was given up: its slot is free, its moment in the pace is lost."""
        sent, trial = ticket
        self.in_flight -= 1
        self.breaker.forgotten(trial=trial)
        if self.policy is not None and sent is not None:
            self.policy.forgotten(sent)

    def hopeless_at(self, patience: float) -> float:
        """When an outage has lasted as long as anybody should wait for its end; infinite: there is none.

        A server that has not given one good answer yet is more likely misnamed than ill: it gets a fifth of
        that, which is one trial.
        """
        if self.breaker.since is None:
            return math.inf
        return self.breaker.since + (patience if self.served else 0.2 * patience)


Ticket = tuple[Sent | None, bool]
"""What the policy remembers of a request, and whether it is the circuit's trial."""
NO_TICKET: Ticket = (None, False)


def failure(status: int, signals: Signals) -> bool:
    """Whether an answer says that the server is ill: 5xx or none, unless it only asked us to slow down.

    A 500 does not: mostly it is one bad record, whose page is asked for many times until the row is found.
    """
    return (status == 0 or status > 500) and not signals.throttled
