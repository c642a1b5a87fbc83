"""The seven APIs: routes, who may ask, and what they answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from harvester.emulator.faults import Dice, Faults
from harvester.emulator.identity import Grant, Identity
from harvester.emulator.pages import HTML, Listing, interfere, reset, send, serve
from harvester.emulator.query import QueryError, chosen, only, read_query
from harvester.emulator.roster import Row
from harvester.emulator.school import School, envelope_of, singular_of
from harvester.emulator.skole import document
from harvester.emulator.tenancy import EmulatedTenant

V1P1 = "/ims/oneroster/v1p1"
V1P2 = "/ims/oneroster/{service}/v1p2"
SERVICES = {
    "gradebook": (
        "categories",
        "lineItems",
        "results",
        "scoreScales",
        "assessmentLineItems",
        "assessmentResults",
    ),
    "resources": ("resources",),
}
LARGEST = {"flyt-oneroster": 100}
"""Records a page at most; elsewhere 10,000."""

CALM = Faults()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Api:
    """All providers' other side. `tenants` by (provider, id)."""

    tenants: dict[tuple[str, str], EmulatedTenant]
    identity: Identity
    faults: Faults
    seed: int
    static_token: str
    requests: Counter[str] = field(default_factory=Counter)
    """Requests by `provider/tenant/collection`, and `all`."""
    most_at_once: int = 0
    _in_flight: int = 0

    def __post_init__(self) -> None:
        self.dice = Dice(self.faults, self.seed)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=1 << 20)
        add = app.router.add_get
        app.router.add_post("/connect/token", self.identity.token)
        for tail in ("/{collection}", "/{collection}/{id}", "/{collection}/{id}/{child}"):
            add(V1P2 + tail, self._faulty(self._flyt))
            add("/t/{tenant}" + V1P1 + tail, self._faulty(self._generic_1p1))
            add("/t/{tenant}" + V1P2 + tail, self._faulty(self._generic_1p2))
            add("/direct/{tenant}" + V1P1 + tail, self._faulty(self._direct))
            add("/{app_id}" + V1P1 + tail, self._faulty(self._proxy))
        add("/api/external/lms/pifu", self._faulty(self._pifu))
        add("/jobs", self._faulty(self._jobs))
        add("/jobs/{id}", self._faulty(self._job))
        add("/jobs/{id}/{child}", self._faulty(self._job))
        return app

    def _faulty(self, handler: Handler) -> Handler:
        """Every API request passes here: counted, and perhaps met by a status instead of an answer."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self.requests["all"] += 1
            self._in_flight += 1
            self.most_at_once = max(self.most_at_once, self._in_flight)
            try:
                now, name = asyncio.get_running_loop().time(), _wanted(request)
                if status := self.dice.status(now, self._in_flight, name):
                    return self._instead(status)
                other = await interfere(request, self._faults_at(name), self.dice)
                return other or await handler(request)
            finally:
                self._in_flight -= 1

        return handle

    def _faults_at(self, collection: str) -> Faults:
        return self.faults if self.faults.touches(collection) else CALM

    def _instead(self, status: int) -> web.Response:
        headers = {"Retry-After": self.faults.retry_after} if self.faults.retry_after else {}
        return web.Response(status=status, body=HTML, content_type="text/html", headers=headers)

    # ── who asks ────────────────────────────────────────────────────────────────────────────────────────

    async def _flyt(self, request: web.Request) -> web.StreamResponse:
        grant = self.identity.bearer(request)
        tenant = self._by_guid("flyt-oneroster", grant)
        return await self._oneroster(request, tenant) if tenant else _unauthorized("v1p2")

    async def _generic_1p1(self, request: web.Request) -> web.StreamResponse:
        return await self._generic(request, "oneroster-v1p1", "v1p1")

    async def _generic_1p2(self, request: web.Request) -> web.StreamResponse:
        return await self._generic(request, "oneroster-v1p2", "v1p2")

    async def _generic(self, request: web.Request, provider: str, version: str) -> web.StreamResponse:
        tenant = self.tenants.get((provider, request.match_info["tenant"]))
        grant = self.identity.bearer(request)
        if tenant is None or grant is None or grant.client != f"{provider}-{tenant.id}":
            return _unauthorized(version)
        return await self._oneroster(request, tenant)

    async def _direct(self, request: web.Request) -> web.StreamResponse:
        tenant = self.tenants.get(("classlink-direct", request.match_info["tenant"]))
        client = self.identity.clients.get(f"classlink-direct-{tenant.id}") if tenant else None
        if tenant is None or client is None or not self.identity.signed(request, client):
            return _unauthorized("v1p1")
        return await self._oneroster(request, tenant)

    async def _proxy(self, request: web.Request) -> web.StreamResponse:
        tenant = self.tenants.get(("classlink-proxy", request.match_info["app_id"]))
        if tenant is None or request.headers.get("Authorization") != f"Bearer {self.static_token}":
            return _unauthorized("v1p1")
        return await self._oneroster(request, tenant)

    def _by_guid(self, provider: str, grant: Grant | None) -> EmulatedTenant | None:
        """The tenant whose vendor's id the token was asked for with."""
        if grant is None or grant.client != provider:
            return None
        found = (t for (p, _), t in self.tenants.items() if p == provider and t.guid == grant.tenant)
        return next(found, None)

    # ── OneRoster ───────────────────────────────────────────────────────────────────────────────────────

    async def _oneroster(self, request: web.Request, tenant: EmulatedTenant) -> web.StreamResponse:
        """A collection, one object, or the collection nested in an object."""
        where = request.match_info
        name, one, child = where["collection"], where.get("id"), where.get("child")
        version = "v1p2" if "v1p2" in request.path else "v1p1"
        if "service" in where and not _belongs(where["service"], child or name):
            return imsx(version, 404, "unknownobject", "no such collection in this service")
        self.requests[f"{tenant.provider}/{tenant.id}/{child or name}"] += 1
        rows = tenant.school.nested(name, one or "", child) if child else tenant.school.rows(name)
        if rows is None:
            return imsx(version, 404, "unknownobject", "no such collection")
        faults = self._faults_at(child or name)
        try:
            if one is not None and child is None:
                body = _single(rows, name, one, request)
                return await send(request, body, {}, faults, self.dice)
            if self.dice.falls(faults.changes):
                _change(rows, self.dice)
            flyt = tenant.provider == "flyt-oneroster" and not faults.ignore_capitals
            query = read_query(request.query, largest=LARGEST.get(tenant.provider, 10_000), any_case=flyt)
            listing = Listing(request, chosen(rows, query, faults.filter), query, envelope_of(child or name))
            return await serve(listing, faults, self.dice)
        except QueryError as error:
            return imsx(version, error.status, error.minor, str(error))

    # ── the other three ─────────────────────────────────────────────────────────────────────────────────

    async def _pifu(self, request: web.Request) -> web.StreamResponse:
        grant = self.identity.bearer(request)
        tenant = self._by_guid("flyt-skole", grant)
        if tenant is None:
            return web.json_response({"error": "unauthorized"}, status=401)
        self.requests[f"flyt-skole/{tenant.id}/pifu"] += 1
        faults = self._faults_at("pifu")
        cut = self.dice.falls(faults.truncate)
        response = web.StreamResponse(headers={"Content-Type": "application/xml; charset=utf-8"})
        if faults.gzip:
            response.enable_compression()
        await response.prepare(request)
        pending = bytearray()
        for piece in document(tenant.school):
            pending += piece
            if len(pending) > 1 << 16:
                await response.write(bytes(pending))
                pending.clear()
                if cut:
                    break
        if cut:
            await response.write(bytes(pending[: len(pending) // 2]))
            reset(request)
        await response.write(bytes(pending))
        await response.write_eof()
        return response

    def _customer(self, request: web.Request) -> EmulatedTenant | None:
        grant = self.identity.bearer(request)
        asked = (request.headers.get("CUSTOMER_ID"), request.headers.get("USER_ID"))
        if grant is None or grant.client != "automatic-rostering":
            return None
        tenants = (t for (p, _), t in self.tenants.items() if p == "automatic-rostering")
        return next((t for t in tenants if (f"c-{t.id}", f"u-{t.id}") == asked), None)

    async def _jobs(self, request: web.Request) -> web.StreamResponse:
        tenant = self._customer(request)
        if tenant is None:
            return web.json_response({"error": "unauthorized"}, status=401)
        self.requests[f"automatic-rostering/{tenant.id}/jobs"] += 1
        rows = [Row(job_id, {}, text) for job_id, text in tenant.jobs.records.items()]
        query = read_query(request.query, largest=10_000)
        return await serve(Listing(request, rows, query, "jobs"), self._faults_at("jobs"), self.dice)

    async def _job(self, request: web.Request) -> web.StreamResponse:
        tenant = self._customer(request)
        if tenant is None:
            return web.json_response({"error": "unauthorized"}, status=401)
        job_id, child = request.match_info["id"], request.match_info.get("child")
        state = tenant.jobs.state(job_id)
        self.requests[f"automatic-rostering/{tenant.id}/{child or 'job'}"] += 1
        body: bytes | None = None
        if state is not None:
            finished = state in ("stopped", "running")
            body = {
                None: tenant.jobs.records[job_id],
                "request": tenant.jobs.request(job_id),
                "result": tenant.jobs.result(job_id) if finished else None,
            }.get(child)
        if body is None:
            return web.json_response({"error": "not found"}, status=404)
        return await send(request, body, {}, self._faults_at(child or "jobs"), self.dice)


def _wanted(request: web.Request) -> str:
    """The collection that a request is about: `users`, `jobs`, `result`, `pifu`."""
    where = request.match_info
    name = where.get("child") or where.get("collection")
    return name or ("jobs" if "jobs" in request.path.split("/") else request.path.rpartition("/")[2])


def _belongs(service: str, collection: str) -> bool:
    """Whether OneRoster 1.2 has this collection in this service."""
    owner = next((name for name, kinds in SERVICES.items() if collection in kinds), "rostering")
    return service == owner


def _single(rows: list[Row], name: str, one: str, request: web.Request) -> bytes:
    row = next((row for row in rows if row.id == one), None)
    if row is None:
        raise QueryError("unknownobject", "no such object", status=404)
    fields = tuple(filter(None, request.query.get("fields", "").split(",")))
    return b'{"' + singular_of(name).encode() + b'":' + only(row, fields) + b"}"


def _change(rows: list[Row], dice: Dice) -> None:
    """A row comes, goes or changes while a client is paging."""
    kind = dice.rng.choice(("insert", "delete", "update"))
    place = dice.rng.randrange(len(rows)) if rows else 0
    if kind == "insert" or not rows:
        own = f"{dice.rng.getrandbits(64):016x}"
        value = {"sourcedId": own, "status": "active", "dateLastModified": "2026-11-20T02:00:00.000Z"}
        text = f'{{"sourcedId":"{own}","status":"active","dateLastModified":"2026-11-20T02:00:00.000Z"}}'
        rows.append(Row(own, value, text.encode()))
        rows.sort(key=lambda row: row.id)
    elif kind == "delete":
        del rows[place]
    else:
        row = rows[place]
        stamp = f"2026-11-20T0{dice.rng.randrange(10)}:30:00.000Z".encode()
        old = str(row.value.get("dateLastModified", "")).encode()
        if old:  # what filters see changes with the bytes
            value = {**row.value, "dateLastModified": stamp.decode()}
            rows[place] = Row(row.id, value, row.text.replace(old, stamp, 1))


def imsx(version: str, status: int, minor: str, said: str) -> web.Response:
    """An error as each version's specification has it."""
    major = {"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_description": said}
    body: dict[str, Any]
    if version == "v1p2":
        value = {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": minor}
        body = {**major, "imsx_CodeMinor": {"imsx_codeMinorField": [value]}}
    else:
        body = {"statusInfoSet": [{**major, "imsx_CodeMinor": minor}]}
    return web.json_response(body, status=status)


def _unauthorized(version: str) -> web.Response:
    return imsx(version, 401, "unauthorisedrequest", "no good token or signature")


def whole(school: School, name: str) -> list[bytes]:
    """A collection's records, byte for byte as they are served."""
    return [row.text for row in school.rows(name) or ()]
