"""When servers fail and quotas are spent: who waits, who is told, and how it goes on. On a virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from harvester.errors import QuotaError, UnreachableError
from harvester.events import Event, QuotaAlert
from harvester.ledger import Ledger
from harvester.model import Limits
from tests import virtual
from tests.governed import ask, fail, fail_host, governor, now, timers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual.BACKEND


async def test_a_sick_tenant_waits_for_its_trial_and_stops_nobody_else() -> None:
    one = governor()
    for n in range(5):
        await ask(one, f"t{n}", took=0.0)
    await fail(one, "sick")
    assert one.statistics().circuits_open == ("sick",)
    assert not one.statistics().host_open
    assert await ask(one, "well", took=0.0) == 0.0
    assert await ask(one, "sick", took=0.0) == 30.0
    assert one.statistics().circuits_open == ()


async def test_refusals_and_not_found_open_no_circuit() -> None:
    one = governor()
    for status in (401, 403, 404, 422):
        await fail(one, "oslo", 20, status)
    assert one.statistics().circuits_open == ()


async def test_the_host_is_left_alone_when_three_tenants_fail() -> None:
    one = governor()
    await fail_host(one)
    assert one.statistics().host_open
    assert one.statistics().circuits_open == ()
    async with asyncio.TaskGroup() as tasks:
        granted = [tasks.create_task(ask(one, tenant, took=1.0)) for tenant in ("x", "y", "z")]
    assert [task.result() for task in granted] == [30.0, 31.0, 31.0]


async def test_those_who_wait_are_told_when_an_outage_lasts_too_long() -> None:
    one = governor()
    for tenant in ("well", "oslo"):
        await ask(one, tenant, took=0.0)
    await fail(one, "oslo", status=503)
    with pytest.raises(UnreachableError) as caught:
        await fail(one, "oslo", 10, status=503)
    assert now() == pytest.approx(300.0)
    assert caught.value.status == 503
    assert str(caught.value) == (
        "application flyt, tenant oslo: its server has failed for 300 s, and answered 503 last."
        " Look at the provider's status page; what is unfinished can be resumed"
    )
    assert timers() == 0


async def test_after_that_it_is_tried_now_and_then_and_may_recover() -> None:
    one = governor()
    await ask(one, "well", took=0.0)
    await fail(one, "oslo")
    with pytest.raises(UnreachableError):
        await fail(one, "oslo", 10)
    with pytest.raises(UnreachableError):
        await ask(one, "oslo")
    await asyncio.sleep(600.0)
    await ask(one, "oslo")
    assert one.statistics().circuits_open == ()


async def test_patience_counts_while_the_trial_hangs() -> None:
    one = governor(patience=100.0)
    await ask(one, "oslo", took=0.0)
    await fail(one, "oslo")
    trial = asyncio.create_task(ask(one, "oslo", 0, took=120.0))
    await asyncio.sleep(40.0)
    with pytest.raises(UnreachableError, match="for 100 s"):
        await ask(one, "oslo")
    await trial


async def test_a_host_that_stays_away_ends_the_wait_of_all_tenants() -> None:
    one = governor(patience=100.0)  # of which a host that never answered gets a fifth
    await fail_host(one)
    results = await asyncio.gather(*(ask(one, f"t{n}") for n in range(5)), return_exceptions=True)
    (said,) = {str(result) for result in results}
    assert said == (
        "application flyt: the host of all tenants has failed for 20 s, and did not answer."
        " Look at the provider's status page; what is unfinished can be resumed"
    )
    assert len({id(result) for result in results}) == 5


async def test_a_spent_quota_refuses_all_who_wait_and_those_who_come() -> None:
    told: list[Event] = []
    one = governor(Limits(daily_requests=40), told=told)
    results = await asyncio.gather(*(ask(one, f"t{n}") for n in range(60)), return_exceptions=True)
    assert sum(isinstance(result, float) for result in results) == 40
    assert sum(isinstance(result, QuotaError) for result in results) == 20
    with pytest.raises(QuotaError, match="2026-11-21 00:00 UTC"):
        await ask(one)
    assert [event.percent for event in told if isinstance(event, QuotaAlert)] == [50, 80, 95]
    await asyncio.sleep(86400.0)
    await ask(one)


async def test_a_quota_is_settled_when_the_governor_is_closed() -> None:
    ledger, limits = Ledger(None), Limits(daily_requests=10_000)
    one = governor(limits, ledger=ledger)
    for _ in range(7):
        await ask(one, status=429, took=0.0)
    await one.aclose()
    assert [account.used for account in ledger.accounts("flyt", limits, virtual.EPOCH)] == [7]


async def test_a_permit_cancelled_as_it_was_granted_counts_in_the_quota_too_many_never_too_few() -> None:
    ledger, limits = Ledger(None), Limits(daily_requests=10_000)
    one = governor(limits, ledger=ledger)
    waiting = asyncio.create_task(ask(one))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert one.statistics().sent == 0
    await one.aclose()
    assert [account.used for account in ledger.accounts("flyt", limits, virtual.EPOCH)] == [1]
