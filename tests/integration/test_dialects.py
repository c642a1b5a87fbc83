"""Servers as they are: each vice by name, over real sockets, and what the harvester makes of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from harvester.emulator.faults import Faults
from harvester.emulator.server import Emulator
from tests.harvesting import Lake, configure, run

pytestmark = pytest.mark.anyio

ONE = ("oneroster-v1p2",)
TENANT = "oneroster-v1p2-1"


@pytest.mark.parametrize(
    ("spec", "verdict", "noted"),
    [
        ("", "certified", ""),
        ("cap:37", "certified", "silent cap"),
        ("cap:37,nototal", "certified", "silent cap"),
        ("nototal", "certified", ""),
        ("texttotal", "certified", ""),
        ("wrongtotal:50", "certified", "too low"),
        ("notfound-end", "certified", ""),
        ("notfound-end,nototal", "certified", ""),
        ("short-pages", "certified", "shorter pages"),
        ("long-pages", "certified", ""),
        ("largest:50", None, ""),
        ("refuse-sort", "certified", "sort refused"),
        ("pretty", "certified", ""),
        ("envelope:data", "certified", ""),
        ("envelope:meta", "certified", ""),
        ("envelope:path", "certified", ""),
        ("gzip", "certified", ""),
        ("linkonly", "probable", "links alone"),
        ("disorder", None, ""),
        ("unpaged", "probable", "does not page"),
        ("repeat-last,nototal", "certified", ""),
        ("cookie,headers:40", "certified", ""),
        ("foreignlink", "certified", ""),
        ("503:0.1,429:0.05,html:0.05,truncate:0.05,reset:0.05", "certified", ""),
        ("retry-after:0,429:0.2", "certified", ""),
        ("revoke-after:3", "certified", ""),
        ("expires-in:absent", "certified", ""),
    ],
)
async def test_a_calm_table_lands_whole_whatever_the_dialect(
    tmp_path: Path, spec: str, verdict: str | None, noted: str
) -> None:
    async with Emulator(tenants=1, rows=430, providers=ONE, faults=spec) as emulator:
        config = configure(emulator, tmp_path, require="uncertified")
        manifest = await run(config, resources=["users"])
        (result,) = manifest["results"]
        if verdict is None:
            assert result["state"] == "failed" or result["verdict"] == "uncertified", result
            return
        assert result["state"] == "committed", result
        lake = Lake(tmp_path / "lake")
        lines = lake.lines("oneroster-v1p2", "users", TENANT)
        assert sorted(lines) == sorted(_sent(emulator))
        certificate = lake.manifest("oneroster-v1p2", "users", TENANT)["certificate"]
        assert certificate["verdict"] == verdict, certificate
        assert noted in " ".join(certificate["notes"])


def _sent(emulator: Emulator) -> list[bytes]:
    return emulator.records("oneroster-v1p2", TENANT, "users")


async def test_an_ignored_offset_is_refused_by_name(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=430, providers=ONE, faults="ignore-offset") as emulator:
        manifest = await run(configure(emulator, tmp_path), resources=["users"])
        (result,) = manifest["results"]
        assert result["state"] == "failed"
        assert "ignores the offset" in result["error"]["message"]
        assert Lake(tmp_path / "lake").visible() == []


async def test_a_server_that_ignores_capitals_is_asked_in_lower_case(tmp_path: Path) -> None:
    async with Emulator(
        tenants=1, rows=430, providers=("flyt-oneroster",), faults="ignore-capitals"
    ) as emulator:
        manifest = await run(configure(emulator, tmp_path), resources=["users"])
        assert manifest["exit_code"] == 0, manifest["results"]
        lake = Lake(tmp_path / "lake")
        sent = emulator.records("flyt-oneroster", "flyt-oneroster-1", "users")
        assert lake.lines("flyt-oneroster", "users", "flyt-oneroster-1") == sent
        notes = lake.manifest("flyt-oneroster", "users", "flyt-oneroster-1")["certificate"]["notes"]
        assert any("Offset is ignored" in note for note in notes)


async def test_poison_rows_are_named_and_the_rest_lands(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=430, providers=ONE, faults="poison:7+203+429") as emulator:
        config = configure(emulator, tmp_path, require="uncertified")
        manifest = await run(config, resources=["users"])
        assert manifest["exit_code"] == 0, manifest["results"]
        lake = Lake(tmp_path / "lake")
        sent = emulator.records("oneroster-v1p2", TENANT, "users")
        assert lake.lines("oneroster-v1p2", "users", TENANT) == [
            record for i, record in enumerate(sent) if i not in (7, 203, 429)
        ]
        certificate = lake.manifest("oneroster-v1p2", "users", TENANT)["certificate"]
        assert certificate["poisoned_offsets"] == [7, 203, 429]
        assert certificate["verdict"] == "uncertified"


async def test_what_is_weaker_than_required_is_held_and_not_visible(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=430, providers=ONE, faults="poison:7") as emulator:
        config = configure(emulator, tmp_path)
        manifest = await run(config, resources=["users", "orgs"])
        assert manifest["exit_code"] == 10
        states = {result["resource"]: result["state"] for result in manifest["results"]}
        assert states == {"users": "held", "orgs": "committed"}
        assert not any("users" in path.parts for path in Lake(tmp_path / "lake").visible())
        assert list((tmp_path / "lake" / "_held").rglob("_manifest.json"))


async def test_records_that_are_none_go_to_quarantine_with_their_reason(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=230, providers=ONE, faults="flaws") as emulator:
        config = configure(emulator, tmp_path, require="uncertified")
        manifest = await run(config, resources=["orgs"])
        assert manifest["exit_code"] == 0, manifest["results"]
        lake = Lake(tmp_path / "lake")
        assert lake.lines("oneroster-v1p2", "orgs", TENANT) == emulator.records(
            "oneroster-v1p2", TENANT, "orgs"
        )
        assert lake.manifest("oneroster-v1p2", "orgs", TENANT)["quarantined"] == 3
        folder = lake.folder("oneroster-v1p2", "orgs", TENANT)
        lines = gzip.decompress((folder / "_quarantine-00000.ndjson.gz").read_bytes()).splitlines()
        reasons = {json.loads(line)["reason"] for line in lines}
        assert reasons == {"no sourcedId", "not an object", "not UTF-8"}


async def test_a_table_that_changes_is_certified_and_loses_nothing_that_stayed(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=930, providers=ONE, faults="changes:0.4") as emulator:
        before = set(_ids(emulator))
        manifest = await run(configure(emulator, tmp_path, require="uncertified"), resources=["users"])
        stayed = before & set(_ids(emulator))
        assert manifest["exit_code"] == 0
        landed = [
            json.loads(line)["sourcedId"]
            for line in Lake(tmp_path / "lake").lines("oneroster-v1p2", "users", TENANT)
        ]
        assert len(landed) == len(set(landed))
        if manifest["results"][0]["verdict"] == "certified":
            assert stayed <= set(landed)


def _ids(emulator: Emulator) -> list[str]:
    return [row.id for row in emulator.tenant("oneroster-v1p2", TENANT).collection("users")]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Faults(redirect="https://elsewhere.example/login"), "elsewhere.example"),
        (Faults(envelope="two"), "two arrays"),
        (Faults(html=1.0), "HTML"),
        (Faults(bomb=True), "200-fold"),
        (Faults(headers=140), "headers"),
        (Faults(statuses={403: 1.0}), "403"),
        (Faults(statuses={404: 1.0}), "404"),
        (Faults(statuses={503: 1.0}), "503"),
        (Faults(revoke_after=-1, statuses={401: 1.0}), "401"),
    ],
)
async def test_answers_that_cannot_be_used_end_the_pull_with_their_name(
    tmp_path: Path, fault: Faults, said: str
) -> None:
    async with Emulator(tenants=1, rows=30, providers=ONE, faults=fault) as emulator:
        manifest = await run(configure(emulator, tmp_path), resources=["users"])
        (result,) = manifest["results"]
        assert result["state"] == "failed"
        assert said.lower() in result["error"]["message"].lower()
        assert Lake(tmp_path / "lake").visible() == []
