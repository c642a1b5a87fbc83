"""What pacing promises, whatever happens in whatever order."""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.events import silent
from harvester.governor import Governor
from harvester.ledger import Ledger
from harvester.model import Limits
from harvester.pacing.breaker import LEAST, PAUSE, WINDOW, Breaker
from harvester.pacing.fairness import RoundRobin
from harvester.pacing.gcra import Pacer
from harvester.pacing.learning import LearningPolicy
from harvester.pacing.policy import Sent
from harvester.pacing.quota import BLOCK, Block
from harvester.pacing.signals import LONGEST_WAIT, Signals, read
from tests import virtual

RATES = st.floats(0.01, 1000.0)


@given(
    rate=RATES,
    burst=st.floats(1.0, 50.0),
    tau=st.floats(0.0, 0.1),
    pauses=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=80),
)
def test_in_no_interval_are_there_more_than_the_rate_and_the_burst(
    rate: float, burst: float, tau: float, pauses: list[float]
) -> None:
    pacer, now, sent = Pacer(burst=burst, tau=tau), 0.0, []
    for pause in pauses:  # in units of the gap: too early, just right, too late
        now += pause / rate
        if pacer.wait(now, rate) == 0.0:
            pacer.sent(now, rate)
            sent.append(now)
    for i, start in enumerate(sent):
        for j in range(i, len(sent)):
            assert j - i + 1 <= rate * (sent[j] - start) + burst + rate * tau + 1e-6


@given(rate=RATES, requests=st.integers(2, 60))
def test_who_waits_as_told_goes_at_the_full_rate(rate: float, requests: int) -> None:
    pacer, now = Pacer(tau=0.0), 0.0
    for _ in range(requests):
        now += pacer.wait(now, rate)
        pacer.sent(now, rate)
    assert math.isclose(now, (requests - 1) / rate, rel_tol=1e-6)


@given(
    tenants=st.integers(2, 40),
    backlog=st.integers(30, 60),
    weights=st.lists(st.floats(1.0, 8.0), min_size=40, max_size=40),
    arrivals=st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_backlogged_tenants_share_by_weight_and_nobody_starves(
    tenants: int, backlog: int, weights: list[float], arrivals: random.Random
) -> None:
    ring: RoundRobin[tuple[str, int]] = RoundRobin()
    names = [f"t{n}" for n in range(tenants)]
    for name, weight in zip(names, weights, strict=False):
        ring.weigh(name, weight)
        for n in range(backlog * 10):
            ring.add(name, (name, n))
    got: Counter[str] = Counter()
    last = dict.fromkeys(names, 0)
    gap = 0
    rounds = 25
    for turn in range(1, int(rounds * sum(weights[:tenants])) + 1):
        name = ring.head()
        assert name is not None
        taken, number = ring.take()
        assert (taken, number) == (name, got[name])  # first come, first served
        got[name] += 1
        gap = max(gap, turn - last[name])
        last[name] = turn
    shares = [got[name] / weight for name, weight in zip(names, weights, strict=False)]
    assert sum(shares) ** 2 / (tenants * sum(x * x for x in shares)) >= 0.98
    assert gap <= sum(math.ceil(w) + 1 for w in weights[:tenants]) + 1


class _Model:
    """What `RoundRobin` should hold, kept the slow way."""

    def __init__(self) -> None:
        self.lines: dict[str, list[int]] = {}
        self.parked: set[str] = set()

    def waiting(self) -> int:
        return sum(len(line) for line in self.lines.values())


@given(st.lists(st.tuples(st.sampled_from("atdpuD"), st.sampled_from("xyz"), st.integers(0, 9)), max_size=80))
def test_nobody_is_lost_and_nobody_is_served_twice(steps: list[tuple[str, str, int]]) -> None:
    ring: RoundRobin[int] = RoundRobin()
    model, waiter = _Model(), 0
    for what, tenant, pick in steps:
        line = model.lines.setdefault(tenant, [])
        if what == "a":
            waiter += 1
            ring.add(tenant, waiter)
            line.append(waiter)
        elif what == "d" and line:
            ring.discard(tenant, line.pop(pick % len(line)))
        elif what == "u":
            ring.unpark(tenant)
            model.parked.discard(tenant)
        elif what == "D":
            assert ring.drain(tenant) == line
            line.clear()
        elif (head := ring.head()) is not None:
            assert head not in model.parked
            if what == "t":
                assert ring.take() == model.lines[head].pop(0)
            elif what == "p":
                ring.park()
                model.parked.add(head)
        model.parked = {name for name in model.parked if model.lines[name]}
        assert ring.waiting == model.waiting()
        can_go = any(line and name not in model.parked for name, line in model.lines.items())
        assert (ring.head() is not None) == can_go


@given(
    steps=st.lists(
        st.sampled_from(["send", "send", "send", "refill", "crash", "close", "copy", "tomorrow"]),
        max_size=120,
    ),
    quota=st.integers(1, 12_000),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_the_ledger_is_never_behind_and_each_crash_costs_a_block_at_most(
    steps: list[str], quota: int, seed: int
) -> None:
    limits, dice = Limits(daily_requests=quota, monthly_requests=quota * 3), random.Random(seed)
    wall, crashes = virtual.EPOCH, 0
    sent: Counter[float] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "0")
        state.mkdir()
        ledger, block = Ledger(state), Block((), 0)
        for number, step in enumerate(steps, 1):
            if step == "send":
                for _ in range(dice.randrange(1, 70)):
                    if not block.take(wall):
                        ledger.give_back("a", block)
                        block = ledger.reserve("a", limits, wall).block
                        if not block.take(wall):
                            break
                    sent[wall] += 1
            elif step == "tomorrow":
                wall += 86400.0
            elif step == "refill":
                ledger.give_back("a", block)
                block = ledger.reserve("a", limits, wall).block
            elif step == "close":
                ledger.give_back("a", block)
                ledger.close()
            else:  # the process is gone; the folder lies as it lay
                copy = shutil.copytree(state, Path(folder, str(number)))
                if step == "copy":
                    with_copy = Ledger(copy)
                    assert with_copy.accounts("a", limits, wall)[0].used >= sent[wall]
                    with_copy.close()
                    continue
                ledger.close()
                state, crashes = copy, crashes + 1
                ledger, block = Ledger(state), Block((), 0)
            day, month = ledger.accounts("a", limits, wall)
            assert sent[wall] <= day.used <= quota
            in_month = sum(count for when, count in sent.items() if when >= month.period.begins)
            assert in_month <= month.used <= in_month + block.left + crashes * BLOCK
        ledger.close()


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 100.0)), max_size=200))
def test_a_circuit_is_closed_open_or_on_trial_and_moves_only_as_it_should(
    steps: list[tuple[bool, float]],
) -> None:
    breaker, now = Breaker(), 0.0
    history: list[bool] = []
    for failed, pause in steps:
        now += pause
        was_closed, since, wait = breaker.closed, breaker.since, breaker.wait(now)
        assert wait is not None  # no trial is left unanswered here
        if wait > 0.0:
            assert not was_closed
            breaker.answered(now, failed=failed, trial=False)  # an echo
            assert (breaker.since, breaker.wait(now)) == (since, wait)
            continue
        trial = breaker.sent()
        assert trial is not was_closed
        if trial:
            assert breaker.wait(now) is None
        breaker.answered(now, failed=failed, trial=trial)
        if trial:
            assert breaker.closed is not failed
            history = []
        else:
            history = [*history, failed][-WINDOW:]
            many = len(history) >= LEAST and sum(history) * 2 >= len(history)
            assert breaker.closed is not (failed and many)
        if not breaker.closed:
            again = breaker.wait(now)
            assert again is not None
            assert PAUSE - 1e-6 <= again <= 600.0 + 1e-6
            assert breaker.since == (since if trial else now)


NAMES = st.sampled_from(
    [
        "retry-after",
        "date",
        "ratelimit",
        "ratelimit-policy",
        "ratelimit-remaining",
        "ratelimit-reset",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-reset-after",
        "x-rate-limit-remaining",
        "x-rate-limit-reset",
        "x-shopify-shop-api-call-limit",
    ]
)
_CRUMBS = ['"default"', "r=", "t=", "q=1", "w=60", "qu=", "remaining=", "reset=", *';,=/ "\\']
_NUMBERS = ["0", "50", "-1", "1e9", "inf", "nan", "9" * 400, "1700000000", "0.5", "٣", "\x00"]
_DATES = [
    "Fri, 20 Nov 2026 00:00:30 GMT",
    "Fri, 31 Feb 9999 99:00:00 +9999",
    "Mon, 01 Jan 0001 00:00:00 -9900",
]
PIECES = st.lists(st.sampled_from([*_CRUMBS, *_NUMBERS, *_DATES]), max_size=12).map("".join)
GARBAGE = st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@given(
    headers=st.dictionaries(NAMES, PIECES | GARBAGE, max_size=6),
    status=st.integers(0, 599),
    wall=st.floats(0.0, 4e9),
)
@settings(max_examples=500)
def test_no_header_makes_us_fail_or_wait_for_ever(headers: dict[str, str], status: int, wall: float) -> None:
    signals = read(headers, status, wall)
    assert signals.retry_after is None or 0.0 <= signals.retry_after <= LONGEST_WAIT
    assert signals.remaining is None or 0.0 <= signals.remaining < 1e15
    assert signals.reset_after is None or 0.0 <= signals.reset_after <= 31 * 86400.0
    assert signals.throttled or status != 429


SAID = st.builds(
    Signals,
    retry_after=st.none() | st.floats(0.0, LONGEST_WAIT),
    remaining=st.none() | st.floats(0.0, 1e6),
    reset_after=st.none() | st.floats(0.0, 1e5),
    throttled=st.booleans(),
)


@given(
    rate=st.none() | RATES,
    concurrency=st.none() | st.integers(1, 8),
    steps=st.lists(
        st.tuples(st.sampled_from(["send", "send", "answer", "forget"]), st.floats(0.0, 5.0), SAID)
    ),
)
def test_a_policy_keeps_what_is_declared_and_always_goes_on_in_the_end(
    rate: float | None, concurrency: int | None, steps: list[tuple[str, float, Signals]]
) -> None:
    policy = LearningPolicy(Limits(rate=rate, concurrency=concurrency), jitter=random.Random(1).random)
    now, out, times = 0.0, list[Sent](), []
    for what, pause, signals in steps:
        now += pause
        if what == "send" and policy.may_send(now, len(out)) == 0.0:
            gate = policy.standing(now).gate_until
            assert gate is None
            out.append(policy.sent(now, len(out) + 1))
            times.append(now)
            assert sum(sent.trial for sent in out) <= 1
        elif what == "answer" and out:
            policy.answered(now, out.pop(0), 429 if signals.throttled else 200, signals, 0.1)
        elif what == "forget" and out:
            policy.forgotten(out.pop())
        assert len(out) <= (concurrency or 64)
    if rate is not None:
        for a, b in zip(times, times[2:], strict=False):
            assert b - a >= 1.0 / rate - 0.02 - 1e-6
    for sent in out:
        policy.answered(now, sent, 200, Signals(), 0.1)
    wait = policy.may_send(now, 0)
    assert wait is not None
    assert wait < 1e6


@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from([200] * 8 + [429, 503, 500, 0, 404]),
            st.floats(0.0, 3.0),  # starts
            st.floats(0.0, 2.0),  # takes
            st.none() | st.floats(0.0, 20.0),  # is cancelled after
        ),
        max_size=60,
    ),
    limits=st.builds(
        Limits,
        rate=st.none() | st.floats(1.0, 100.0),
        concurrency=st.none() | st.integers(1, 8),
        daily_requests=st.none() | st.integers(1, 80),
    ),
    per_tenant=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_every_request_ends_and_every_slot_comes_back(
    plan: list[tuple[str, int, float, float, float | None]], limits: Limits, per_tenant: bool
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        governor = Governor(
            "app",
            limits,
            clock=virtual.VirtualClock(),
            rng=random.Random(1),
            ledger=None,
            observe=silent,
            per_tenant_limits=per_tenant,
        )
        most = 0

        async def one(tenant: str, status: int, starts: float, takes: float) -> None:
            nonlocal most
            await asyncio.sleep(starts)
            async with governor.permit(tenant) as permit:
                most = max(most, governor.statistics().in_flight)
                await asyncio.sleep(takes)
                permit.answered(status, {"retry-after": "2"} if status == 429 else {}, takes)

        def cancel_later(task: asyncio.Task[Any], after: float | None) -> None:
            if after is not None:
                loop.call_later(after, task.cancel)

        tasks = []
        for tenant, status, starts, takes, cancelled in plan:
            tasks.append(asyncio.create_task(one(tenant, status, starts, takes)))
            cancel_later(tasks[-1], cancelled)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(r is None or r.__class__.__name__ in _ENDS for r in results), results
        statistics = governor.statistics()
        assert (statistics.in_flight, statistics.waiting) == (0, 0)
        assert most <= (limits.concurrency or 64)
        assert statistics.sent <= (limits.daily_requests or 10**9)
        await asyncio.sleep(30.0)  # past all that would have been cancelled
        assert loop.timers() == 0

    virtual.run(main)


_ENDS = {"CancelledError", "QuotaError", "UnreachableError"}
