"""The emulator needs no socket and no clock of its own: it runs on a simulated loop as it is."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from harvester.emulator.identity import Client, Grant
from harvester.emulator.server import Emulator
from tests import virtual

pytestmark = pytest.mark.anyio
PATH = "/t/oneroster-v1p1-1/ims/oneroster/v1p1/users"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual.BACKEND


async def ask(emulator: Emulator, path: str, token: str) -> web.StreamResponse:
    app = emulator.make_app()
    request = make_mocked_request("GET", path, headers={"Authorization": f"Bearer {token}"}, app=app)
    match = await app.router.resolve(request)
    request._match_info = match
    return await match.handler(request)


def emulate(faults: str) -> Emulator:
    emulator = Emulator(tenants=1, rows=20, providers=("oneroster-v1p1",), faults=faults)
    (client,) = emulator.api.identity.clients.values()
    assert isinstance(client, Client)
    emulator.api.identity.tokens["t"] = Grant(client.id, "", "", asyncio.get_running_loop().time() + 60)
    return emulator


async def test_latency_and_a_tokens_life_pass_in_the_loops_time() -> None:
    emulator, loop = emulate("latency:50"), asyncio.get_running_loop()
    before = loop.time()
    answer = await ask(emulator, PATH, "t")
    assert (answer.status, loop.time() - before) == (200, 50.0)
    answer = await ask(emulator, PATH, "t")
    assert answer.status == 401, "the token lived for 60 s"


async def test_a_hidden_rate_refills_in_the_loops_time() -> None:
    emulator = emulate("rate:1")
    assert [(await ask(emulator, PATH, "t")).status for _ in range(2)] == [200, 429]
    await asyncio.sleep(1)
    assert (await ask(emulator, PATH, "t")).status == 200
