"""Each provider's door: tokens per client and tenant, static bearers, customers; and what lies behind it."""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus
from xml.etree import ElementTree

import aiohttp
import pytest
from yarl import URL

from harvester.emulator.server import Emulator

pytestmark = pytest.mark.anyio
FLYT = "/ims/oneroster/rostering/v1p2"
V1P1 = "/ims/oneroster/v1p1"


@dataclass
class Visitor:
    """Asks an emulator for things with whatever proof a test gives it."""

    emulator: Emulator
    session: aiohttp.ClientSession

    def __post_init__(self) -> None:
        config = tomllib.loads(self.emulator.config_text())
        self.applications = config["applications"]
        self.tenants = {tenant["id"]: tenant for tenant in config["tenants"]}

    def client(self, name: str) -> tuple[str, str]:
        held = self.tenants.get(name) or self.applications[name]
        return held["client_id"], held["client_secret"].removeprefix("literal:")

    async def ask(self, form: dict[str, str], **headers: str) -> tuple[int, dict[str, Any]]:
        url = self.emulator.url + "/connect/token"
        async with self.session.post(url, data=form, headers=headers) as answer:
            return answer.status, await answer.json()

    async def token(self, name: str, **form: str) -> str:
        client_id, secret = self.client(name)
        form |= {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        status, body = await self.ask(form)
        assert status == 200, body
        return str(body["access_token"])

    async def get(self, path: str, token: str = "", **headers: str) -> tuple[int, bytes]:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = URL(self.emulator.url + path, encoded=True)
        async with self.session.get(url, headers=headers) as answer:
            return answer.status, await answer.read()


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with Emulator(tenants=2, rows=60) as emulator, aiohttp.ClientSession() as session:
        yield Visitor(emulator, session)


async def test_a_token_opens_its_own_tenant_alone(visitor: Visitor) -> None:
    token = await visitor.token("oneroster-v1p1-1")
    for tenant, status in (("oneroster-v1p1-1", 200), ("oneroster-v1p1-2", 401), ("nobody", 401)):
        assert (await visitor.get(f"/t/{tenant}{V1P1}/orgs", token))[0] == status
    assert (await visitor.get("/jobs", token))[0] == 401
    assert (await visitor.get(f"{FLYT}/orgs", token))[0] == 401


async def test_one_flyt_client_sees_the_tenant_that_its_token_was_asked_for(visitor: Visitor) -> None:
    for name in ("flyt-oneroster-1", "flyt-oneroster-2"):
        token = await visitor.token("flyt-oneroster", tenant_ID=visitor.tenants[name]["tenant_id"])
        status, body = await visitor.get(f"{FLYT}/orgs", token)
        records = b",".join(visitor.emulator.records("flyt-oneroster", name, "orgs"))
        assert (status, body) == (200, b'{"orgs":[' + records + b"]}")
    token = await visitor.token("flyt-oneroster")
    assert (await visitor.get(f"{FLYT}/orgs", token))[0] == 401, "no tenant named"


async def test_the_tenant_may_be_named_in_a_header_too(visitor: Visitor) -> None:
    client_id, secret = visitor.client("flyt-oneroster")
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    status, body = await visitor.ask(form, tenant_ID=visitor.tenants["flyt-oneroster-1"]["tenant_id"])
    assert status == 200
    assert (await visitor.get(f"{FLYT}/orgs", body["access_token"]))[0] == 200


async def test_basic_credentials_are_form_decoded(visitor: Visitor) -> None:
    client_id, secret = visitor.client("oneroster-v1p2-1")
    assert re.search(r"[+/%:=]", secret), "a secret that careless encoders break"
    encoded = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    basic = "Basic " + base64.b64encode(encoded).decode()
    status, body = await visitor.ask({"grant_type": "client_credentials"}, Authorization=basic)
    assert (status, body["token_type"], body["expires_in"]) == (200, "Bearer", 3600)
    careless = "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    status, body = await visitor.ask({"grant_type": "client_credentials"}, Authorization=careless)
    assert (status, body["error"]) == (401, "invalid_client")


async def test_a_scope_that_the_client_has_not_is_refused(visitor: Visitor) -> None:
    client_id, secret = visitor.client("oneroster-v1p2-1")
    visitor.emulator.api.identity.clients[client_id].scopes = frozenset({"roster"})
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    status, body = await visitor.ask({**form, "scope": "gradebook"})
    assert (status, body["error"]) == (400, "invalid_scope")
    assert (await visitor.ask({**form, "scope": "roster"}))[0] == 200


async def test_the_proxy_takes_its_static_bearer_for_every_district(visitor: Visitor) -> None:
    token = visitor.applications["classlink-proxy"]["access_token"].removeprefix("literal:")
    for name in ("classlink-proxy-1", "classlink-proxy-2"):
        assert (await visitor.get(f"/{name}{V1P1}/users", token))[0] == 200
    assert (await visitor.get(f"/nobody{V1P1}/users", token))[0] == 401
    assert (await visitor.get(f"/classlink-proxy-1{V1P1}/users", token + "x"))[0] == 401


async def test_jobs_want_both_customer_and_user(visitor: Visitor) -> None:
    token, name = await visitor.token("automatic-rostering"), "automatic-rostering-1"
    customer = {"CUSTOMER_ID": f"c-{name}", "USER_ID": f"u-{name}"}
    status, body = await visitor.get("/jobs", token, **customer)
    records = visitor.emulator.records("automatic-rostering", name, "jobs")
    assert (status, body) == (200, b'{"jobs":[' + b",".join(records) + b"]}")
    assert (await visitor.get("/jobs", token, CUSTOMER_ID=f"c-{name}"))[0] == 401
    assert (await visitor.get("/jobs", token, CUSTOMER_ID=f"c-{name}", USER_ID="u-other"))[0] == 401
    assert (await visitor.get("/jobs", "", **customer))[0] == 401


async def test_a_starting_job_has_a_request_and_no_result(visitor: Visitor) -> None:
    async with Emulator(tenants=1, rows=400, providers=("automatic-rostering",)) as emulator:
        other = Visitor(emulator, visitor.session)
        token, name = await other.token("automatic-rostering"), "automatic-rostering-1"
        customer = {"CUSTOMER_ID": f"c-{name}", "USER_ID": f"u-{name}"}
        jobs = emulator.tenant("automatic-rostering", name).jobs
        answers = {}
        for job in jobs.records:
            assert (await other.get(f"/jobs/{job}", token, **customer)) == (200, jobs.records[job])
            assert (await other.get(f"/jobs/{job}/request", token, **customer))[0] == 200
            status, _ = await other.get(f"/jobs/{job}/result", token, **customer)
            answers[jobs.state(job)] = status
        assert answers == {"stopped": 200, "running": 200, "starting": 404, "error": 404}
        assert (await other.get("/jobs/none", token, **customer))[0] == 404


async def test_the_pifu_document_is_the_tenants_own(visitor: Visitor) -> None:
    for name in ("flyt-skole-1", "flyt-skole-2"):
        token = await visitor.token("flyt-skole", tenant_ID=visitor.tenants[name]["tenant_id"])
        status, body = await visitor.get("/api/external/lms/pifu", token)
        assert (status, body) == (200, visitor.emulator.document(name))
        assert ElementTree.fromstring(body).tag.endswith("}enterprise")
    assert (await visitor.get("/api/external/lms/pifu"))[0] == 401


async def test_ids_that_must_be_encoded_are_found(visitor: Visitor) -> None:
    name = "oneroster-v1p1-2"
    token = await visitor.token(name)
    odd = [
        row for row in visitor.emulator.tenant("oneroster-v1p1", name).collection("users") if "odd" in row.id
    ]
    assert len(odd) == 2
    for row in odd:
        path = f"/t/{name}{V1P1}/users/{quote(row.id, safe='')}"
        assert await visitor.get(path, token) == (200, b'{"user":' + row.text + b"}")
        status, body = await visitor.get(path + "/classes", token)
        assert status == 200
        assert len(body) > 100


async def test_requests_are_counted_by_what_they_ask_for(visitor: Visitor) -> None:
    token = await visitor.token("oneroster-v1p1-1")
    for path in ("users", "users", "orgs"):
        await visitor.get(f"/t/oneroster-v1p1-1{V1P1}/{path}", token)
    counted = visitor.emulator.requests
    assert counted["oneroster-v1p1/oneroster-v1p1-1/users"] == 2
    assert (counted["all"], counted["tokens"]) == (3, 1)


async def test_tenants_may_be_named() -> None:
    names = {"classlink-proxy": ["bergtatt"], "oneroster-v1p2": ["fjellsyn", "havgløtt"]}
    async with Emulator(tenants=names, rows=5) as emulator:
        assert emulator.tenants == [
            ("classlink-proxy", "bergtatt"),
            ("oneroster-v1p2", "fjellsyn"),
            ("oneroster-v1p2", "havgløtt"),
        ]
