"""PIFU documents that are not what they seem, from a socket to the lake: never certified with nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harvester.config.load import load
from tests.harvesting import run

pytestmark = pytest.mark.anyio

SOURCED = "<sourcedid><source>s</source><id>1</id></sourcedid>"
PROPERTIES = "<properties><type>full</type></properties>"


@asynccontextmanager
async def export(document: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that grants any token and exports this document; its address, and what was asked of it."""
    asked: list[str] = []

    async def token(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t" * 20, "token_type": "Bearer", "expires_in": 3600})

    async def pifu(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text=document, content_type="application/xml")

    app = web.Application()
    app.router.add_post("/token", token)
    app.router.add_get("/api/external/lms/pifu", pifu)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}", asked
    finally:
        await runner.cleanup()


async def pulled(folder: Path, document: str) -> tuple[dict[str, Any], list[str]]:
    """The results by resource of one run over the document, and what was asked."""
    async with export(document) as (address, asked):
        path = folder / "c.toml"
        path.touch(0o600)
        path.write_text(
            f'[sink]\nurl = "{folder}/lake"\n[state]\npath = "{folder}/state"\n'
            '[applications.skole]\nprovider = "flyt-skole"\nclient_id = "me"\n'
            'client_secret = "literal:secret"\n'
            f'base_url = "{address}"\ntoken_url = "{address}/token"\n'
            '[[tenants]]\nid = "oslo"\napplication = "skole"\ntenant_id = "guid"\n'
        )
        manifest = await run(load(path))
    return {result["resource"]: result for result in manifest["results"]}, asked


async def test_records_in_another_namespace_than_the_root_land(tmp_path: Path) -> None:
    person = f'<person xmlns="urn:b">{SOURCED}</person>'
    results, _ = await pulled(tmp_path, f'<enterprise xmlns="urn:a">{PROPERTIES}{person}</enterprise>')
    assert (results["persons"]["records"], results["persons"]["verdict"]) == (1, "certified")
    (part,) = (tmp_path / "lake" / "flyt-skole" / "persons").rglob("part-*.gz")
    assert json.loads(gzip.decompress(part.read_bytes()))["#namespace"] == "urn:b"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            f"<enterprise>{PROPERTIES}<all><person>{SOURCED}</person></all></enterprise>",
            "<person> inside of <all>",
        ),
        (f"<enterprise>{PROPERTIES}<Person/></enterprise>", "but 1 of <Person>"),
        ("<enterprise/>", "no export"),
        ("<error>no rights</error>", "the root element is <error>"),
    ],
)
async def test_a_document_in_which_nothing_is_found_fails_and_says_what_is_there(
    tmp_path: Path, document: str, said: str
) -> None:
    results, asked = await pulled(tmp_path, document)
    assert {result["state"] for result in results.values()} == {"failed"}
    assert all(said in result["error"]["message"] for result in results.values())
    assert len(asked) <= 3, "the same answer again is the provider's last word"
    assert not list((tmp_path / "lake").rglob("part-*"))


async def test_an_empty_resource_beside_unknown_elements_is_held(tmp_path: Path) -> None:
    document = f"<enterprise>{PROPERTIES}<person>{SOURCED}</person><Group/></enterprise>"
    results, _ = await pulled(tmp_path, document)
    assert results["persons"]["state"] == "committed"
    assert results["groups"]["state"] == results["memberships"]["state"] == "held"
    assert "1 of <Group>" in results["groups"]["guard"]


async def test_an_empty_export_is_committed(tmp_path: Path) -> None:
    results, _ = await pulled(tmp_path, f"<enterprise>{PROPERTIES}</enterprise>")
    assert {result["verdict"] for result in results.values()} == {"certified"}
