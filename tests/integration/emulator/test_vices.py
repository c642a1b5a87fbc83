"""Each fault does on the wire what docs/emulator.md says of it, and nothing to others."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from harvester.emulator.server import Emulator

pytestmark = pytest.mark.anyio
TENANT = "classlink-proxy-1"
BASE = f"/{TENANT}/ims/oneroster/v1p1"
ROWS = 130


def emulate(spec: str) -> Emulator:
    return Emulator(tenants=1, rows=ROWS, providers=("classlink-proxy",), faults=spec)


async def get(
    emulator: Emulator, path: str = "/users", **parameters: str
) -> tuple[int, bytes, Mapping[str, str]]:
    headers = {"Authorization": f"Bearer {emulator.api.static_token}"}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(
            emulator.url + BASE + path, params=parameters, headers=headers, allow_redirects=False
        ) as answer,
    ):
        return answer.status, await answer.read(), answer.headers


async def users(spec: str, **parameters: str) -> tuple[list[Any], Mapping[str, str]]:
    async with emulate(spec) as emulator:
        status, body, headers = await get(emulator, **parameters)
        assert status == 200, body
        return json.loads(body)["users"], headers


async def test_a_good_server_serves_the_records_byte_for_byte() -> None:
    async with emulate("") as emulator:
        _, body, headers = await get(emulator)
        records = emulator.records("classlink-proxy", TENANT, "users")
        assert body == b'{"users":[' + b",".join(records[:100]) + b"]}"
        assert headers["X-Total-Count"] == str(ROWS)


@pytest.mark.parametrize(
    ("spec", "status", "headers"),
    [
        ("503", 503, {"Content-Type": "text/html"}),
        ("429,retry-after:7", 429, {"Retry-After": "7"}),
        ("nth:1=500", 500, {}),
        ("html:1", 200, {"Content-Type": "text/html"}),
        ("redirect:https://elsewhere.example/", 302, {"Location": "https://elsewhere.example/"}),
        ("concurrency:0", 200, {}),
    ],
)
async def test_another_answer(spec: str, status: int, headers: dict[str, str]) -> None:
    async with emulate(spec) as emulator:
        got, _, received = await get(emulator)
        assert got == status
        assert headers.items() <= dict(received).items()


async def test_429_comes_without_retry_after_unless_it_is_asked_for() -> None:
    async with emulate("429") as emulator:
        status, _, headers = await get(emulator)
        assert (status, "Retry-After" in headers) == (429, False)


async def test_a_status_for_one_collection_spares_the_others() -> None:
    async with emulate("500,html:1,on:users") as emulator:
        assert (await get(emulator, "/users"))[0] == 500
        status, body, _ = await get(emulator, "/orgs")
        assert (status, list(json.loads(body))) == (200, ["orgs"])


@pytest.mark.parametrize("spec", ["reset", "truncate"])
async def test_the_connection_breaks(spec: str) -> None:
    async with emulate(f"{spec}:1") as emulator:
        with pytest.raises(aiohttp.ClientError):
            await get(emulator)
        with pytest.raises(aiohttp.ClientError):
            await get(
                emulator, "/users/" + emulator.tenant("classlink-proxy", TENANT).collection("users")[0].id
            )


async def test_the_answer_is_late_or_never_comes() -> None:
    async with emulate("latency:30ms") as emulator:
        before = asyncio.get_running_loop().time()
        await get(emulator)
        assert asyncio.get_running_loop().time() - before >= 0.03
    async with emulate("stall:1") as emulator:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(emulator), 0.05)


@pytest.mark.parametrize(
    ("spec", "asked", "rows"),
    [
        ("cap:37", {"limit": "100"}, 37),
        ("long-pages", {"limit": "50"}, 55),
        ("short-pages", {"limit": "20", "offset": "20"}, 15),
        ("unpaged", {"limit": "10"}, ROWS),
        ("ignore-offset", {"limit": "10", "offset": "125"}, 10),
        ("empty-end", {"limit": "50", "offset": "100"}, 30),
        ("empty-end", {"limit": "50", "offset": "130"}, 0),
        ("repeat-last", {"limit": "50", "offset": "150"}, 30),
        ("", {"Limit": "10"}, 100),
    ],
)
async def test_pages_have_other_sizes(spec: str, asked: dict[str, str], rows: int) -> None:
    assert len((await users(spec, **asked))[0]) == rows


@pytest.mark.parametrize(
    ("spec", "asked", "status"),
    [
        ("largest:50", {"limit": "51"}, 422),
        ("largest:50", {"limit": "50"}, 200),
        ("refuse-sort", {"sort": "sourcedId"}, 400),
        ("refuse-unknown", {"Limit": "5"}, 400),
        ("notfound-end", {"offset": "130"}, 404),
        ("poison:7+203", {"limit": "5", "offset": "5"}, 500),
        ("poison:7+203", {"limit": "5", "offset": "8"}, 200),
    ],
)
async def test_some_requests_are_refused(spec: str, asked: dict[str, str], status: int) -> None:
    async with emulate(spec) as emulator:
        assert (await get(emulator, **asked))[0] == status


@pytest.mark.parametrize(
    ("spec", "total"), [("nototal", None), ("wrongtotal:50", "50"), ("texttotal", "many"), ("linkonly", None)]
)
async def test_totals_may_lie_or_lack(spec: str, total: str | None) -> None:
    assert (await users(spec))[1].get("X-Total-Count") == total


@pytest.mark.parametrize(
    ("spec", "asked", "link"),
    [
        ("link:comma", {}, r'rel="last", '),
        ("link:relative", {}, f"<{BASE}/users?limit=100&offset=100>"),
        ("link:past", {"offset": "100"}, 'offset=200>; rel="next"'),
        ("foreignlink", {}, "<http://other.example/"),
        ("linkonly", {}, 'cursor=100>; rel="next"'),
    ],
)
async def test_links_are_odd(spec: str, asked: dict[str, str], link: str) -> None:
    _, headers = await users(spec, **asked)
    assert link.strip() in headers["Link"]


async def test_a_link_may_lack_the_prefix_of_the_proxy_in_front() -> None:
    async with emulate("link:prefix") as emulator:
        _, _, headers = await get(emulator)
        assert f"<{emulator.url}/users?" in headers["Link"]


async def test_links_alone_lead_through_the_whole_collection() -> None:
    async with emulate("linkonly,cap:40") as emulator:
        found, cursor = [], "0"
        while True:
            _, body, headers = await get(emulator, limit="40", offset="77", cursor=cursor)
            found += json.loads(body)["users"]
            if 'rel="next"' not in headers.get("Link", ""):
                break
            cursor = headers["Link"].partition("cursor=")[2].partition(">")[0]
        assert len({user["sourcedId"] for user in found}) == len(found) == ROWS


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        ("envelope:data", ["data", "total", "limit", "offset"]),
        ("envelope:meta", ["users", "_meta", "_links"]),
        ("envelope:path", ["students"]),
        ("envelope:two", ["users", "others"]),
        ("pretty", ["users"]),
        ("flaws", None),
    ],
)
async def test_the_array_stands_elsewhere(spec: str, keys: list[str] | None) -> None:
    async with emulate(spec) as emulator:
        _, body, _ = await get(emulator, "/students", limit="1000")
        if keys is None:
            with pytest.raises(UnicodeDecodeError):
                json.loads(body)
        else:
            assert list(json.loads(body)) == keys


async def test_bodies_are_packed_and_blown_up() -> None:
    for spec, least in (("gzip", 1000), ("bomb", 64 * 1024 * 1024)):
        async with emulate(spec) as emulator:
            _, body, headers = await get(emulator)
            assert headers["Content-Encoding"] == "gzip"
            assert len(gzip.decompress(body)) > least
            assert len(body) < 100_000


async def test_headers_are_many_and_cookies_are_set() -> None:
    _, headers = await users("headers:40,cookie")
    assert sum(name.startswith("X-Extra-") for name in headers) == 40
    assert headers["Set-Cookie"].startswith("session=")


async def test_rows_come_go_and_change_alike_for_the_same_seed() -> None:
    seen = []
    for _ in range(2):
        async with emulate("changes:1") as emulator:
            seen.append([(await get(emulator, limit="1000"))[1] for _ in range(5)])
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 5


async def test_what_was_changed_is_found_by_its_new_date() -> None:
    async with emulate("changes:1") as emulator:
        for _ in range(30):
            await get(emulator)
        emulator.faults.changes = 0.0
        _, body, _ = await get(emulator, filter="dateLastModified>='2026-11-20'", limit="1000")
        found = json.loads(body)["users"]
        assert any("username" in user for user in found), "updated ones, not only new ones"
        assert all(user["dateLastModified"] >= "2026-11-20" for user in found)


async def test_tokens_end_early_or_are_not_given() -> None:
    form = {"grant_type": "client_credentials"}
    async with (
        Emulator(tenants=1, rows=5, providers=("oneroster-v1p1",)) as emulator,
        aiohttp.ClientSession() as session,
    ):
        (client,) = emulator.api.identity.clients.values()
        form |= {"client_id": client.id, "client_secret": client.secret}
        url = f"{emulator.url}/t/oneroster-v1p1-1/ims/oneroster/v1p1/orgs"

        async def ask() -> tuple[int, Any]:
            async with session.post(emulator.url + "/connect/token", data=form) as answer:
                return answer.status, await answer.json()

        emulator.faults.revoke_after = 2
        token = (await ask())[1]["access_token"]
        statuses = []
        for _ in range(3):
            async with session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
                statuses.append(answer.status)
        assert statuses == [200, 200, 401]
        emulator.faults.expires_in = "absent"
        assert "expires_in" not in (await ask())[1]
        emulator.faults.expires_in = "3600"
        assert (await ask())[1]["expires_in"] == "3600"
        emulator.faults.token_status = 503
        assert (await ask())[0] == 503
