"""Reading by id over real sockets: the same records as by offset, and by offset where it can't be trusted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harvester.checking import check_all
from harvester.config.load import Config, load
from harvester.config.secrets import Secrets
from harvester.emulator.server import Emulator
from harvester.plan import Selection
from tests.harvesting import Lake, configure, run

pytestmark = pytest.mark.anyio

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"
ONE = (PROVIDER,)


def keyed(emulator: Emulator, folder: Path, keyset: str = "true", *more: str, **options: str) -> Config:
    folder.mkdir(exist_ok=True)
    config = configure(emulator, folder, **options)
    text = config.path.read_text(encoding="utf-8")
    own = f'provider = "{PROVIDER}"'
    added = "\n".join([own, *([f"keyset = {keyset}"] if keyset else []), *more])
    config.path.write_text(text.replace(own, added), encoding="utf-8")
    return load(config.path)


def claim(folder: Path) -> dict[str, Any]:
    certificate: dict[str, Any] = Lake(folder / "lake").manifest(PROVIDER, "users", TENANT)["certificate"]
    return certificate


def lines(folder: Path) -> list[bytes]:
    return Lake(folder / "lake").lines(PROVIDER, "users", TENANT)


def manifests(folder: Path) -> list[Path]:
    """Of every run."""
    return sorted(folder.rglob("run=*/_manifest.json"))


async def test_twelve_thousand_records_come_by_id_as_they_come_by_offset(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=12_000, providers=ONE) as emulator:
        by_id, by_offset = tmp_path / "id", tmp_path / "offset"
        await run(keyed(emulator, by_id, ""), resources=["users"])
        probed = emulator.requests["all"]
        await run(keyed(emulator, by_offset, "false"), resources=["users"])
        offset = emulator.requests["all"] - probed
        assert lines(by_id) == lines(by_offset) == emulator.records(PROVIDER, TENANT, "users")
        assert claim(by_offset)["strategy"] == "offset"
        certificate = claim(by_id)
        assert certificate["strategy"] == "keyset"
        assert certificate["verdict"] == "certified"
        assert any(
            text.startswith("A6: filter and sort compare ids alike") for text in certificate["assumptions"]
        )
        parts = [part["name"] for part in Lake(by_id / "lake").manifest(PROVIDER, "users", TENANT)["parts"]]
        assert parts == [f"part-0{lane}000.ndjson.gz" for lane in range(4)]
        assert probed <= offset + 25


async def test_what_was_proved_is_remembered_and_costs_no_probe_again(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=900, providers=ONE) as emulator:
        config = keyed(emulator, tmp_path)
        await run(config, resources=["users"], run_id="first")
        first = emulator.requests["all"]
        await run(config, resources=["users"], run_id="second")
        second = emulator.requests["all"] - first
        pages = 900 // 99 + 4  # one more for each range
        assert second <= pages + 4 + 1  # split keys, and the total at the end
        assert first >= second + 10
        (memory,) = (tmp_path / "state" / "dialects").iterdir()
        assert memory.stat().st_mode & 0o777 == 0o600
        assert json.loads(memory.read_bytes())["proof"]["operator"] == ">="
        memory.write_bytes(memory.read_bytes()[:40])  # torn: no memory, and no error
        before = emulator.requests["all"]
        manifest = await run(config, resources=["users"], run_id="third")
        assert manifest["exit_code"] == 0
        assert emulator.requests["all"] - before == first


@pytest.mark.parametrize(
    ("spec", "strategy", "noted"),
    [
        ("filter:ignored", "offset", "not read by id: a page under >= is not the page at its offset"),
        ("filter:refused", "offset", "not read by id: the filter >= is refused"),
        ("filter:refuse-inclusive", "keyset", "the filter leaves out the id it names"),
        ("filter:exclusive", "keyset", "the filter leaves out the id it names"),
        ("disorder", "offset", "not read by id"),
        ("refuse-sort", "offset", "sort refused"),
        ("cap:37", "keyset", ""),
        ("nototal", "offset", ""),
        ("short-pages", "keyset", ""),
        ("flaws", "offset", ""),
        ("poison:450", "offset", ""),
        ("503:0.05,reset:0.05", "keyset", ""),
    ],
)
async def test_each_vice_ends_in_the_way_of_reading_that_it_allows(
    tmp_path: Path, spec: str, strategy: str, noted: str
) -> None:
    async with Emulator(tenants=1, rows=900, providers=ONE, faults=spec) as emulator:
        manifest = await run(keyed(emulator, tmp_path, require="uncertified"), resources=["users"])
        (result,) = manifest["results"]
        if spec == "disorder":
            assert result["state"] == "failed" or result["verdict"] == "uncertified"
            return
        assert result["state"] == "committed", result
        certificate = claim(tmp_path)
        assert certificate["strategy"] == strategy, certificate
        assert noted in "; ".join(certificate["notes"])
        sent = emulator.records(PROVIDER, TENANT, "users")
        poisoned = certificate["poisoned_offsets"]
        assert sorted(lines(tmp_path)) == sorted(row for i, row in enumerate(sent) if i not in poisoned)


async def test_a_filter_that_compares_without_case_is_found_out(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    ids = sorted(f"{letter}{number:04d}" for letter in "aBcD" for number in range(200))
    lake_lines = [json.dumps({"sourcedId": row_id, "status": "active"}) for row_id in ids]
    (records / "users.ndjson").write_text("\n".join(lake_lines), encoding="utf-8")
    for spec, strategy in (("filter:nocase", "offset"), ("", "keyset")):
        async with Emulator(tenants=0, records=records, providers=ONE, faults=spec) as emulator:
            folder = tmp_path / strategy
            await run(keyed(emulator, folder), resources=["users"])
            lake = Lake(folder / "lake")
            certificate = lake.manifest(PROVIDER, "users", "records")["certificate"]
            assert (certificate["strategy"], certificate["verdict"]) == (strategy, "certified"), certificate
            assert len(lake.lines(PROVIDER, "users", "records")) == 800


async def test_a_server_that_changes_its_ways_is_read_by_offset_and_not_trusted_again(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=900, providers=ONE) as emulator:
        config = keyed(emulator, tmp_path)
        await run(config, resources=["users"], run_id="first")
        emulator.faults.filter = "ignored"
        for night in ("second", "third"):
            manifest = await run(config, resources=["users"], run_id=night)
            assert manifest["results"][0]["verdict"] == "certified"
        sent = emulator.records(PROVIDER, TENANT, "users")
        pulls = {place.parent.name: json.loads(place.read_bytes()) for place in manifests(tmp_path)}
        claims = {name: pull["certificate"] for name, pull in pulls.items()}
        assert claims["run=first"]["strategy"] == "keyset"
        assert claims["run=second"]["strategy"] == "offset"
        assert "reading by id was given up: a page begins below" in "; ".join(claims["run=second"]["notes"])
        assert pulls["run=second"]["records"] == pulls["run=third"]["records"] == len(sent)
        assert pulls["run=third"]["requests"] < pulls["run=second"]["requests"]
        assert "not read by id" in "; ".join(claims["run=third"]["notes"])


async def test_records_that_go_and_come_while_it_runs_cost_none_that_stay(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=3_000, providers=ONE) as emulator:
        config = keyed(emulator, tmp_path)
        await run(config, resources=["users"], run_id="calm")  # proved while it was calm
        before = set(_ids(emulator))
        emulator.faults.changes = 0.9
        await run(config, resources=["users"], run_id="busy")
        stayed = before & set(_ids(emulator))
        assert len(stayed) < len(before)
        (folder,) = (place.parent for place in manifests(tmp_path) if place.parent.name == "run=busy")
        certificate = json.loads((folder / "_manifest.json").read_bytes())["certificate"]
        assert (certificate["strategy"], certificate["verdict"]) == ("keyset", "certified")
        landed = [
            json.loads(line)["sourcedId"]
            for part in sorted(folder.glob("part-*"))
            for line in gzip.decompress(part.read_bytes()).splitlines()
        ]
        assert len(landed) == len(set(landed))
        assert stayed <= set(landed)


def _ids(emulator: Emulator) -> list[str]:
    return [row.id for row in emulator.tenant(PROVIDER, TENANT).collection("users")]


async def test_a_configured_filter_is_kept_beside_the_ids(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=900, providers=ONE) as emulator:
        for place, keyset in (("id", "true"), ("offset", "false")):
            config = keyed(emulator, tmp_path / place, keyset, "filter = \"status='active'\"")
            await run(config, resources=["users"])
        assert claim(tmp_path / "id")["strategy"] == "keyset"
        assert claim(tmp_path / "offset")["strategy"] == "offset"
        assert lines(tmp_path / "id") == lines(tmp_path / "offset") != []


async def test_a_guard_sees_all_ranges(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=900, providers=ONE) as emulator:
        config = keyed(emulator, tmp_path)
        for night in ("first", "second"):
            manifest = await run(config, resources=["users"], run_id=night)
            assert manifest["exit_code"] == 0, manifest["results"]
        rows = emulator.tenant(PROVIDER, TENANT).collection("users")
        del rows[: len(rows) // 2]
        manifest = await run(config, resources=["users"], run_id="third")
        assert manifest["exit_code"] == 10, manifest["results"]


async def test_check_says_whether_it_can_be_read_by_id_and_remembers(tmp_path: Path) -> None:
    for spec, proved in (("", True), ("filter:refused", False)):
        async with Emulator(tenants=1, rows=900, providers=ONE, faults=spec) as emulator:
            config = keyed(emulator, tmp_path / str(proved))
            words = []
            spent = []
            for _ in range(2):
                before = emulator.requests.get(f"{PROVIDER}/{TENANT}/users", 0)
                found = await check_all(config, Selection(), Secrets())
                (users,) = (finding for finding in found if finding.resource == "users")
                assert users.dialect is not None
                assert users.dialect.keyset is proved
                words.append(users.row()[4])
                spent.append(emulator.requests[f"{PROVIDER}/{TENANT}/users"] - before)
            assert words[0] == words[1]
            assert ("not by id" in words[0]) is not proved
            assert spent[1] == 2 < spent[0]
