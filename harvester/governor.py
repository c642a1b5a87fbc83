"""The governor: decides when a request may start, for one application, and hands out permits.

One pump decides. It runs whenever something changes (a permit is asked for, an answer comes, a timer rings),
awaits nothing, and leaves everything consistent; only then does anybody wake. What it asks is pure and
lives in `pacing`: who is next (fairness), how fast (policy), whether at all (breaker, quota).
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from harvester.clock import Clock
from harvester.errors import UnreachableError
from harvester.events import Observer
from harvester.ledger import Ledger, Purse, Spare
from harvester.model import Limits
from harvester.pacing.breaker import Sickness
from harvester.pacing.fairness import RoundRobin
from harvester.pacing.learning import Learned, LearningPolicy
from harvester.pacing.limit import NO_TICKET, Limit, failure
from harvester.pacing.policy import Policy
from harvester.pacing.quota import quotas
from harvester.pacing.signals import NOTHING, read

PATIENCE = 300.0
"""Seconds that an outage may last before those who wait are told to give up."""
TENANT_CONCURRENCY = 4
"""Requests at once to one tenant's own server."""
HOST_CONCURRENCY = 64
"""Requests at once to all tenants' own servers."""

# Timers ring up to the loop's clock resolution early; a wait that short is over.
_INSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class GovernorStatistics:
    """One look at a governor."""

    in_flight: int
    waiting: int
    sent: int
    answered: int
    throttled: int
    failed: int
    """5xx, or no answer"""
    rate: float | None
    """requests a second at present; None: not limited"""
    concurrency: int
    gate_until: float | None
    """as the clock's `now`; None: the gate is open"""
    host_open: bool
    """Whether the circuit of the whole host is open, or only those of tenants:"""
    circuits_open: tuple[str, ...]


class Permit:
    """The governor's leave for one request. `async with` waits for it; say `answered` once within."""

    __slots__ = ("_desk", "error", "future", "of_host", "of_tenant", "state", "tenant")

    def __init__(self, desk: _Desk, tenant: str) -> None:
        self._desk = desk
        self.tenant = tenant
        self.state: Literal["new", "waiting", "granted", "refused", "over"] = "new"
        self.future: asyncio.Future[None] | None = None
        self.error: BaseException | None = None
        self.of_host = NO_TICKET
        self.of_tenant = NO_TICKET

    async def __aenter__(self) -> Self:
        assert self.state == "new", "a permit is for one request"
        if not self._desk.enter(self):
            self.future = asyncio.get_running_loop().create_future()
            try:
                await self.future
            except BaseException:  # cancelled, or the loop is closed on us
                self._desk.abandon(self)
                raise
        if self.error is not None:
            raise self.error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.state == "granted":
            self._desk.give_up(self)

    def answered(self, status: int, headers: Mapping[str, str], took: float) -> None:
        """The request came back: status (0: no answer), headers in lower case, seconds on the wire."""
        assert self.state == "granted", "a permit is answered once, while it is held"
        self._desk.answered(self, status, headers, took)

    def settle(self, state: Literal["granted", "refused"]) -> None:
        """The pump has decided; whoever waits is woken."""
        self.state = state
        if self.future is not None and not self.future.done():
            self.future.set_result(None)

    def __repr__(self) -> str:
        return f"<Permit {self.tenant}: {self.state}>"


class _Desk:
    """Where permits are asked for, granted and given back. All of it is synchronous."""

    def __init__(
        self, name: str, host: Limit, limit_of_tenant: Callable[[], Limit], *, clock: Clock, patience: float
    ) -> None:
        self.name = name
        self.host = host
        self.tenants: dict[str, Limit] = {}
        self.turns: RoundRobin[Permit] = RoundRobin()
        self.purse: Purse | None = None
        self.clock = clock
        self.seen = 0.0  # when the pump last looked at the clock
        self.sent = self.answers = self.throttled = self.failed = 0
        self._limit_of_tenant = limit_of_tenant
        self._patience = patience
        self._sickness = Sickness()
        self._timer: asyncio.TimerHandle | None = None
        # Parked tenants by when they may go on: (moment, tenant). An entry is stale unless _wakes agrees.
        self._parked: list[tuple[float, str]] = []
        self._wakes: dict[str, float] = {}

    def enter(self, permit: Permit) -> bool:
        """Stand in line. True: it was decided at once."""
        if permit.tenant not in self.tenants:
            self.tenants[permit.tenant] = self._limit_of_tenant()
        permit.state = "waiting"
        self.turns.add(permit.tenant, permit)
        self.pump()
        return permit.state != "waiting"

    def abandon(self, permit: Permit) -> None:
        """Cancelled while it waited, or in the very moment it was granted: then the next one may have it."""
        if permit.state == "granted":
            self.sent -= 1  # its slot is passed on; in the quota it counts as sent: too many, never too few
            self.give_up(permit)
        elif permit.state == "waiting":
            permit.state = "over"
            self.turns.discard(permit.tenant, permit)
            self.pump()

    def give_up(self, permit: Permit) -> None:
        """Left without an answer: the slot is free again, the time in the pace is lost."""
        permit.state = "over"
        self.host.forgotten(permit.of_host)
        self.tenants[permit.tenant].forgotten(permit.of_tenant)
        self._unpark(permit.tenant)
        self.pump()

    def answered(self, permit: Permit, status: int, headers: Mapping[str, str], took: float) -> None:
        permit.state = "over"
        now = self.clock.now()
        signals = read(headers, status, self.clock.wall())
        failed = failure(status, signals)
        self.answers += 1
        self.throttled += signals.throttled
        self.failed += failed
        self._sickness.answered(permit.tenant, failed=failed)
        spread = failed and self._sickness.spread(len(self.tenants))
        tenant = self.tenants[permit.tenant]
        tenant.answered(now, permit.of_tenant, status, signals, took, failed=failed)
        # What one tenant's own server says of its pace does not concern the host that stands before it.
        theirs = signals if tenant.policy is None else NOTHING
        self.host.answered(now, permit.of_host, status, theirs, took, failed=failed, may_open=spread)
        self._unpark(permit.tenant)
        self.pump()

    def pump(self) -> None:
        """Grant what may be granted now, and set the timer for what may be granted later."""
        if not self.turns.waiting:
            self._ring_at(math.inf)
            return
        now = self.seen = self.clock.now()
        self._unpark_due(now)
        wake = math.inf
        while (name := self.turns.head()) is not None:
            wait = self.host.wait(now)
            if wait > _INSTANT:
                hopeless_at = self.host.hopeless_at(self._patience)
                if now + _INSTANT >= hopeless_at:
                    self._refuse(self.turns.drain(), lambda: self._unreachable(self.host, ""))
                else:
                    wake = min(now + wait, hopeless_at)
                break
            if self._held_back(name, now):
                continue
            if self.purse is not None:
                answer = self.purse.take()
                if answer == "refused":
                    self._refuse(self.turns.drain(), self.purse.why)
                if answer != "taken":
                    break
            self._grant(self.turns.take(), now)
        self._ring_at(min(wake, self._next_unpark()))

    def _grant(self, permit: Permit, now: float) -> None:
        permit.of_host = self.host.sent(now)
        permit.of_tenant = self.tenants[permit.tenant].sent(now)
        self.sent += 1
        permit.settle("granted")

    def _held_back(self, name: str, now: float) -> bool:
        """Whether the tenant at the head can't go on; it is parked then, or its line sent away."""
        tenant = self.tenants[name]
        wait = tenant.wait(now)
        if wait <= _INSTANT:
            return False
        hopeless_at = tenant.hopeless_at(self._patience)
        if now + _INSTANT >= hopeless_at:
            self._refuse(self.turns.drain(name), lambda: self._unreachable(tenant, name))
            return True
        self.turns.park()
        wake = min(now + wait, hopeless_at)
        self._wakes[name] = wake
        if wake < math.inf:
            heapq.heappush(self._parked, (wake, name))
        return True

    def _unpark(self, name: str) -> None:
        if self._wakes.pop(name, None) is not None:
            self.turns.unpark(name)

    def _unpark_due(self, now: float) -> None:
        while self._parked and self._parked[0][0] <= now + _INSTANT:
            wake, name = heapq.heappop(self._parked)
            if self._wakes.get(name) == wake:
                self._unpark(name)

    def _next_unpark(self) -> float:
        while self._parked and self._wakes.get(self._parked[0][1]) != self._parked[0][0]:
            heapq.heappop(self._parked)
        return self._parked[0][0] if self._parked else math.inf

    def _ring_at(self, moment: float) -> None:
        """One timer, and none when nobody waits. One that rings too early does no harm, so it is kept."""
        if self._timer is not None:
            if moment < math.inf and self._timer.when() <= moment:
                return
            self._timer.cancel()
            self._timer = None
        if moment < math.inf:
            self._timer = asyncio.get_running_loop().call_at(moment, self._rang)

    def _rang(self) -> None:
        self._timer = None
        self.pump()

    def _refuse(self, permits: list[Permit], why: Callable[[], BaseException]) -> None:
        for permit in permits:
            permit.error = why()  # one each: a raised error grows a traceback
            permit.settle("refused")

    def _unreachable(self, limit: Limit, tenant: str) -> UnreachableError:
        lasted = self.seen - (self.seen if limit.breaker.since is None else limit.breaker.since)
        who = "its server" if tenant else "the host of all tenants"
        last = f"answered {limit.last_failure} last" if limit.last_failure else "did not answer"
        return UnreachableError(
            f"{who} has failed for {lasted:.0f} s, and {last}",
            status=limit.last_failure,
            where=f"application {self.name}" + (f", tenant {tenant}" if tenant else ""),
            advice="Look at the provider's status page; what is unfinished can be resumed",
        )


class Governor:
    """Sustained rate, concurrency, quota, obedience and fairness among tenants, for one application.

    The clock's `now` must be the running loop's time: timers are set with it. `policy` makes what decides on
    rate and concurrency of one limit; `patience` is in seconds.
    """

    def __init__(
        self,
        name: str,
        limits: Limits,
        *,
        clock: Clock,
        rng: random.Random,
        ledger: Ledger | None,
        observe: Observer,
        per_tenant_limits: bool = False,
        patience: float = PATIENCE,
        policy: Callable[[Limits, int | None], Policy] | None = None,
        spare: Spare | None = None,
        known: Learned | None = None,
    ) -> None:
        """`per_tenant_limits`: each tenant is a server of its own; `limits` are the host's before it.

        `known` is what an earlier run has learned of the host; `spare` says what of the quotas to leave to
        others.
        """

        def make(declared: Limits, concurrency: int | None, known: Learned | None = None) -> Policy:
            if policy is not None:
                return policy(declared, concurrency)
            return LearningPolicy(declared, jitter=rng.random, concurrency=concurrency, known=known)

        def limit_of_tenant() -> Limit:
            return Limit(make(Limits(), TENANT_CONCURRENCY) if per_tenant_limits else None)

        self.name = name
        host = Limit(make(limits, HOST_CONCURRENCY if per_tenant_limits else None, known))
        self._desk = _Desk(name, host, limit_of_tenant, clock=clock, patience=patience)
        if quotas(limits):
            self._desk.purse = Purse(
                name,
                limits,
                ledger or Ledger(None),
                clock=clock,
                observe=observe,
                ready=self._desk.pump,
                spare=spare,
            )

    def permit(self, tenant: str) -> Permit:
        """Leave for one request: `async with governor.permit(tenant) as permit`.

        QuotaError when the quota is spent; UnreachableError when the tenant or the host has failed for longer
        than the governor's patience.
        """
        return Permit(self._desk, tenant)

    def statistics(self) -> GovernorStatistics:
        desk = self._desk
        now = desk.clock.now()
        assert desk.host.policy is not None
        standing = desk.host.policy.standing(now)
        return GovernorStatistics(
            in_flight=desk.host.in_flight,
            waiting=desk.turns.waiting,
            sent=desk.sent,
            answered=desk.answers,
            throttled=desk.throttled,
            failed=desk.failed,
            rate=standing.rate,
            concurrency=standing.concurrency,
            gate_until=standing.gate_until,
            host_open=not desk.host.breaker.closed,
            circuits_open=tuple(name for name, limit in desk.tenants.items() if not limit.breaker.closed),
        )

    @property
    def learned(self) -> Learned:
        """What it has found out about the host's limits."""
        policy = self._desk.host.policy
        return policy.learned if isinstance(policy, LearningPolicy) else Learned()

    async def aclose(self) -> None:
        """Settle with the ledger. Without it, up to a block too much stays counted."""
        if self._desk.purse is not None:
            await self._desk.purse.aclose()

    def __repr__(self) -> str:
        """What an engineer asks first, as of the last decision."""
        desk = self._desk
        assert desk.host.policy is not None
        standing = desk.host.policy.standing(desk.seen)
        said = [
            f"{desk.host.in_flight} of {standing.concurrency} in flight",
            f"{desk.turns.waiting} waiting for {desk.turns.tenants} tenants",
            "no rate" if standing.rate is None else f"{standing.rate:.3g}/s",
            f"{desk.sent} sent, {desk.throttled} throttled, {desk.failed} failed",
        ]
        if standing.gate_until is not None:
            said.append(f"gate shut for {standing.gate_until - desk.seen:.1f} s")
        if not desk.host.breaker.closed:
            said.append(f"host circuit {desk.host.breaker!r}")
        sick = sorted(name for name, limit in desk.tenants.items() if not limit.breaker.closed)
        if sick:
            said.append(f"circuits open: {', '.join(sick[:5])}{' and more' if len(sick) > 5 else ''}")
        return f"<Governor {self.name}: {'; '.join(said)}>"
