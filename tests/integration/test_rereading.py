"""`verify`, `diff` and `snapshot` on lakes that a run has filled."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from harvester.build import open_sink
from harvester.config.load import Config
from harvester.emulator.roster import Row
from harvester.emulator.server import Emulator
from harvester.offload import Threads
from harvester.verifying import in_share
from tests.harvesting import Lake, command, configure, run

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Two runs, between which some users changed, one went and one came."""
    return anyio.run(two_runs, tmp_path_factory.mktemp("lake"))


async def two_runs(folder: Path) -> Config:
    async with Emulator(tenants=1, rows=300, providers=(PROVIDER,), faults="flaws") as emulator:
        config = configure(emulator, folder)
        await run(config, resources=["users", "orgs"], run_id="first")
        rows = emulator.tenant(PROVIDER, TENANT).collection("users")
        assert isinstance(rows, list)
        gone = rows.pop(7)
        for place, edit in ((4, {"givenName": "Åse"}), (11, {"givenName": "Bo", "status": "tobedeleted"})):
            record = {**rows[place].value, **edit}
            rows[place] = Row(rows[place].id, record, json.dumps(record).encode())
        same = rows[20]  # the same record, spelled in another order
        rows[20] = Row(
            same.id, same.value, json.dumps(dict(reversed(json.loads(same.text).items()))).encode()
        )
        record = {**gone.value, "sourcedId": "zzzz"}
        rows.append(Row("zzzz", record, json.dumps(record).encode()))
        await run(config, resources=["users"], run_id="second")
        known = {"gone": gone.id, "edited": [rows[4].id, rows[11].id]}
        await anyio.Path(folder / "ids.json").write_text(json.dumps(known))
    return config


@pytest.fixture
def copied(lake: Config, tmp_path: Path) -> tuple[Path, Lake]:
    """A copy of the lake that a test may damage, with its configuration."""
    folder = lake.path.parent
    shutil.copytree(folder, tmp_path / "copy")
    config = tmp_path / "copy" / lake.path.name
    config.write_text(config.read_text().replace(str(folder), str(tmp_path / "copy")))
    return config, Lake(tmp_path / "copy" / "lake")


def verified(config: Path, *words: str) -> tuple[int, Mapping[str, Any]]:
    done = command("verify", config, "--json", *words)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_sound_lake_verifies_and_says_how_much_was_read(lake: Config) -> None:
    code, found = verified(lake.path)
    assert (code, found["damages"]) == (0, [])
    assert found["pulls"] == 3
    assert found["records"] > 600


def test_all_pulls_are_read_within_as_many_days_as_the_share_says(lake: Config) -> None:
    runs = list(open_sink(lake, Threads()).runs())
    pulls = [(one, result) for one in runs for result in one["results"]]
    read = [pull for day in range(100, 107) for pull in pulls if in_share(*pull, 7, day)]
    assert sorted(map(id, read)) == sorted(map(id, pulls))


def part_of(root: Path) -> Path:
    (part,) = (root / PROVIDER / "users" / f"tenant={TENANT}").glob("dt=*/run=first/part-00000.ndjson.gz")
    return part


def test_every_kind_of_damage_is_found_and_named(copied: tuple[Path, Lake]) -> None:
    config, lake = copied
    part = part_of(lake.root)
    sound = part.read_bytes()
    manifest = part.parent / "_manifest.json"
    claimed = manifest.read_bytes()
    quarantine = part.parent / "_quarantine-00000.ndjson.gz"

    def damaged(said: str) -> None:
        code, found = verified(config, "first")
        assert code == 7
        assert any(said in damage["what"] for damage in found["damages"]), found

    for place in (0, len(sound) // 2, len(sound) - 1):
        part.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        damaged("SHA-256")
    part.write_bytes(sound[:-9])
    damaged("bytes instead of")
    part.unlink()
    damaged("is missing")
    part.write_bytes(sound)
    (part.parent / "part-00001.ndjson.gz").write_bytes(gzip.compress(b"{}\n"))
    damaged("not in its manifest")
    (part.parent / "part-00001.ndjson.gz").unlink()
    manifest.write_bytes(claimed.replace(b'"schema_version": 1', b'"schema_version": 99'))
    damaged("schema version 99")
    manifest.write_bytes(claimed.replace(b'"tenant": "', b'"tenant": "x'))
    damaged("another tenant")
    manifest.write_bytes(claimed[:40])
    damaged("can't read")
    manifest.unlink()
    damaged("no _manifest.json")
    manifest.write_bytes(claimed)
    quarantine.write_bytes(b"\x1f\x8b")
    damaged("quarantine")
    shutil.rmtree(part.parent)
    damaged("gone")


@pytest.mark.parametrize("member", ["records", "quarantined", "parts"])
@pytest.mark.parametrize("value", [None, "x", [{"name": "part-00000.ndjson.gz"}]])
def test_a_manifest_that_is_json_but_no_manifest_is_damage(
    copied: tuple[Path, Lake], member: str, value: object
) -> None:
    config, lake = copied
    path = next(path for path in lake.root.rglob("_manifest.json") if "run=second" in str(path))
    path.write_text(json.dumps({**json.loads(path.read_text()), member: value}))

    code, found = verified(config)

    assert code == 7
    said = found["damages"][0]["what"]
    assert "its manifest is damaged" in said or "does not hold what it should" in said


def test_a_pointer_to_nowhere_is_found(copied: tuple[Path, Lake]) -> None:
    config, lake = copied
    shutil.rmtree(next((lake.root / PROVIDER / "users").glob("*/*/run=second")))
    code, found = verified(config, "first")
    assert code == 7
    assert [damage["place"] for damage in found["damages"]] == [f"_current/{PROVIDER}/users/{TENANT}.json"]


def test_diff_counts_and_lists_what_changed_and_in_which_fields(lake: Config) -> None:
    known = json.loads((lake.path.parent / "ids.json").read_text())
    done = command("diff", lake.path, "first", "second", "--json")
    assert done.returncode == 0, done.stderr
    pulls = {row["resource"]: row for row in json.loads(done.stdout)["pulls"]}
    users = pulls["users"]
    assert (users["added"], users["changed"], users["removed"]) == (1, 2, 1)
    assert users["fields"] == {"givenName": 2, "status": 1}
    assert pulls["orgs"]["only_in"] == "first"
    listed = command("diff", lake.path, "first", "second", "--records", "--resource", "users")
    lines = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {(line["change"], line["id"]) for line in lines} == {
        ("added", "zzzz"),
        ("removed", known["gone"]),
        *(("changed", row_id) for row_id in known["edited"]),
    }
    assert "givenName" in listed.stderr
    assert "Åse" not in listed.stdout + listed.stderr, "names of fields, not what they hold"


def test_a_snapshot_is_the_newest_state_without_tombstones(lake: Config) -> None:
    known = json.loads((lake.path.parent / "ids.json").read_text())
    state = command("snapshot", lake.path, TENANT, "users")
    assert state.returncode == 0, state.stderr
    ids = [json.loads(line)["sourcedId"] for line in state.stdout.split("\n")[:-1]]
    assert ids == sorted(ids)
    assert "zzzz" in ids
    assert not {known["gone"], known["edited"][1]} & set(ids)
    whole = command("snapshot", lake.path, TENANT, "users", "--tombstones")
    assert whole.stdout.count("\n") == len(ids) + 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "{config}", "third"), "there is no run third"),
        (("verify", "{config}", "--share", "0"), "no share"),
        (("diff", "{config}", "first", "third"), "there is no run third"),
        (("snapshot", "{config}", "nobody", "users"), "no tenant 'nobody'"),
        (("snapshot", "{config}", TENANT, "planets"), "no resource 'planets'"),
        (("snapshot", "{config}", TENANT, "classes"), "no snapshot yet"),
    ],
)
def test_what_can_not_be_read_is_explained(lake: Config, words: tuple[str, ...], said: str) -> None:
    done = command(*(word.replace("{config}", str(lake.path)) for word in words))
    assert done.returncode == 2
    assert said in done.stderr
