"""A governor on a virtual clock, and the requests that its tests make through it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from harvester.events import Event
from harvester.governor import Governor
from harvester.ledger import Ledger
from harvester.model import Limits
from tests import virtual

RETRY_AFTER_30 = {"retry-after": "30"}


def governor(
    limits: Limits | None = None,
    *,
    told: list[Event] | None = None,
    ledger: Ledger | None = None,
    **options: Any,
) -> Governor:
    return Governor(
        "flyt",
        limits or Limits(),
        clock=virtual.VirtualClock(),
        rng=random.Random(1),
        ledger=ledger,
        observe=(told if told is not None else []).append,
        **options,
    )


def now() -> float:
    return asyncio.get_running_loop().time()


def timers() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, virtual.VirtualLoop)
    return loop.timers()


async def ask(
    one: Governor,
    tenant: str = "oslo",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    took: float = 0.1,
) -> float:
    """One request from permit to answer. When its permit came."""
    async with one.permit(tenant) as permit:
        granted = now()
        await asyncio.sleep(took)
        permit.answered(status, headers or {}, took)
    return granted


async def fail(one: Governor, tenant: str, times: int = 10, status: int = 503) -> None:
    for _ in range(times):
        await ask(one, tenant, status, took=0.0)


async def fail_host(one: Governor) -> None:
    for tenant in ("a", "b", "c"):
        await fail(one, tenant, 4 - (tenant == "c") * 2, status=0)
