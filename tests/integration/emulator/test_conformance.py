"""The emulator is a OneRoster provider as the specifications have it, and verifies what oauthlib signs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, Client
from yarl import URL

from harvester.emulator.server import Emulator
from harvester.providers.registry import PROVIDERS

pytestmark = pytest.mark.anyio
ROSTERING = "/t/oneroster-v1p2-1/ims/oneroster/rostering/v1p2"
V1P1 = "/t/oneroster-v1p1-1/ims/oneroster/v1p1"


class Served:
    """An emulator and a client that has a token for each generic tenant."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator, self.session = emulator, session
        self.tokens: dict[str, str] = {}

    async def get(self, path: str, **parameters: str) -> tuple[int, dict[str, Any], Any]:
        provider = re.search(r"oneroster-v1p[12]", path)
        assert provider is not None
        token = self.tokens.get(provider[0]) or await self.token(provider[0])
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.get(self.emulator.url + path, params=parameters, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers

    async def token(self, provider: str) -> str:
        config = self.emulator.config_text()
        client_id = f"{provider}-{provider}-1"
        secret = re.search(rf'client_id = "{client_id}"\nclient_secret = "literal:([^"]*)"', config)
        assert secret is not None
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret[1]}
        async with self.session.post(self.emulator.url + "/connect/token", data=form) as answer:
            assert answer.status == 200
            self.tokens[provider] = (await answer.json())["access_token"]
        return self.tokens[provider]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with Emulator(tenants=1, rows=130) as emulator, aiohttp.ClientSession() as session:
        yield Served(emulator, session)


@pytest.mark.parametrize(
    ("collection", "key"),
    [("orgs", "orgs"), ("schools", "orgs"), ("terms", "academicSessions"), ("students", "users"),
     ("gradingPeriods", "academicSessions"), ("teachers", "users"), ("classes", "classes")],
)  # fmt: skip
async def test_collections_come_under_the_specifications_key(
    served: Served, collection: str, key: str
) -> None:
    for base in (ROSTERING, V1P1):
        status, body, _ = await served.get(f"{base}/{collection}")
        assert (status, list(body)) == (200, [key])


async def test_pages_total_and_links_are_consistent(served: Served) -> None:
    status, body, headers = await served.get(f"{ROSTERING}/users", limit="50", offset="100")
    assert status == 200
    assert len(body["users"]) == 30
    assert headers["X-Total-Count"] == "130"
    assert 'rel="next"' not in headers["Link"]
    assert 'rel="prev"' in headers["Link"]
    _, first, headers = await served.get(f"{ROSTERING}/users")
    assert len(first["users"]) == 100
    assert 'offset=100>; rel="next"' in headers["Link"]


async def test_filters_sorts_and_fields_work(served: Served) -> None:
    wanted = "familyName='O''Brien' AND enabledUser='true'"
    _, body, _ = await served.get(f"{ROSTERING}/users", filter=wanted, limit="200")
    assert all(user["familyName"] == "O'Brien" for user in body["users"])
    _, body, _ = await served.get(
        f"{ROSTERING}/users", filter="roles.role='teacher' OR username='u000001'", limit="200"
    )
    assert {user["roles"][0]["role"] for user in body["users"]} == {"teacher", "student"}
    _, body, _ = await served.get(
        f"{ROSTERING}/users", sort="username", orderBy="desc", limit="200", fields="username"
    )
    names = [user["username"] for user in body["users"]]
    assert names == sorted(names, reverse=True)
    assert all(list(user) == ["username"] for user in body["users"])


@pytest.mark.parametrize(
    ("path", "parameters", "status", "minor"),
    [
        ("/users", {"filter": "nonsense"}, 400, "invalid_filter_field"),
        ("/users", {"fields": "nonsense"}, 400, "invalid_selection_field"),
        ("/users", {"limit": "0"}, 400, "invalid_data"),
        ("/users", {"offset": "-1"}, 400, "invalid_data"),
        ("/users/none", {}, 404, "unknownobject"),
        ("/nonsense", {}, 404, "unknownobject"),
        ("/classes/none/students", {}, 404, "unknownobject"),
    ],
)
async def test_errors_are_imsx_with_their_codes(
    served: Served, path: str, parameters: dict[str, str], status: int, minor: str
) -> None:
    got, body, _ = await served.get(ROSTERING + path, **parameters)
    assert got == status
    assert body["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"] == minor
    got, body, _ = await served.get(V1P1 + path, **parameters)
    assert got == status
    assert body["statusInfoSet"][0]["imsx_CodeMinor"] == minor


async def test_single_objects_and_every_nested_collection_are_served(served: Served) -> None:
    for base, provider in ((ROSTERING, "oneroster-v1p2"), (V1P1, "oneroster-v1p1")):
        for resource in PROVIDERS[provider].resources:
            where = (
                base
                if not resource.service
                else base.replace("/rostering/", f"/{resource.service.split('/')[3]}/")
            )
            if resource.parent is None:
                status, _, _ = await served.get(where + resource.path)
            else:
                rows = served.emulator.tenant(provider, f"{provider}-1").collection(resource.parent)
                status, _, _ = await served.get(where + resource.path.replace("{parent}", rows[0].id))
            assert status == 200, resource.name
    (org, *_) = served.emulator.tenant("oneroster-v1p2", "oneroster-v1p2-1").collection("orgs")
    _, body, _ = await served.get(f"{ROSTERING}/orgs/{org.id}")
    assert body["org"]["sourcedId"] == org.id


async def test_tokens_are_given_to_basic_and_post_and_refused_otherwise(served: Served) -> None:
    url = served.emulator.url + "/connect/token"
    grant = {"grant_type": "client_credentials"}
    async with served.session.post(url, data={**grant, "client_id": "x", "client_secret": "y"}) as answer:
        assert (answer.status, (await answer.json())["error"]) == (401, "invalid_client")
    async with served.session.post(url, data={"grant_type": "password"}) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "unsupported_grant_type")
    async with served.session.get(served.emulator.url + f"{ROSTERING}/orgs") as answer:
        assert answer.status == 401


@pytest.mark.parametrize("method", [SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256])
@pytest.mark.parametrize(
    "query", ["", "?limit=3&offset=0", "?filter=familyName%3D%27O%27%27Brien%27&limit=2", "?x=%C3%A5%20b"]
)
async def test_what_oauthlib_signs_is_accepted_once_and_what_it_did_not_sign_never(
    served: Served, method: str, query: str
) -> None:
    secret = re.search(
        r'client_id = "classlink-direct-classlink-direct-1"\nclient_secret = "literal:([^"]*)"',
        served.emulator.config_text(),
    )
    assert secret is not None
    url = f"{served.emulator.url}/direct/classlink-direct-1/ims/oneroster/v1p1/users{query}"
    for key, wanted in ((secret[1], 200), ("wrong", 401)):
        client = Client("classlink-direct-classlink-direct-1", key, signature_method=method)
        _, headers, _ = client.sign(url)
        for status in (wanted, 401):  # a nonce is good once
            async with served.session.get(URL(url, encoded=True), headers=headers) as answer:
                assert answer.status == status
