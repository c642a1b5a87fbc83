"""A broken export does not replace a good roster: it is held, with numbers, until a person releases it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harvester.build import open_sink
from harvester.config.load import Config, load
from harvester.emulator.roster import Row
from harvester.emulator.server import Emulator
from harvester.errors import SinkError
from harvester.offload import Threads
from harvester.releasing import find_run, held_pulls, release
from harvester.sinks.local import LocalSink
from tests.harvesting import Lake, command, configure, run

pytestmark = pytest.mark.anyio

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"


def rows_of(emulator: Emulator, resource: str = "users") -> list[Row]:
    rows = emulator.tenant(PROVIDER, TENANT).collection(resource)
    assert isinstance(rows, list)
    return rows


def current(lake: Lake, resource: str = "users") -> str:
    path = lake.root / f"_current/{PROVIDER}/{resource}/{TENANT}.json"
    return str(json.loads(path.read_bytes())["run"])


def spoil(rows: list[Row], how: str) -> None:
    """What broken exports do."""
    match how:
        case "emptied":
            rows.clear()
        case "thinned":
            del rows[::2]
            del rows[::3]
        case "one school":
            schools = [json.loads(row.text)["school"]["sourcedId"] for row in rows]
            gone = max(set(schools), key=schools.count)
            rows[:] = [row for row, school in zip(rows, schools, strict=True) if school != gone]
        case "other ids":
            rows[:] = [
                Row(f"x{row.id}", row.value, row.text.replace(row.id.encode(), f"x{row.id}".encode(), 1))
                for row in rows
            ]
        case "all deleted":
            rows[:] = [
                Row(row.id, row.value, row.text.replace(b'"active"', b'"tobedeleted"', 1)) for row in rows
            ]
        case "shuffled":  # not broken: only listed in another order
            random.Random(1).shuffle(rows)


async def nights(config: Config, emulator: Emulator, resource: str, how: str) -> Mapping[str, Any]:
    """A good night, and one after the export broke."""
    good = await run(config, resources=[resource], run_id="good")
    assert good["exit_code"] == 0, good
    spoil(rows_of(emulator, resource), how)
    return await run(config, resources=[resource], run_id="bad")


@pytest.mark.parametrize(
    ("resource", "how", "said"),
    [
        ("users", "emptied", "there is nothing now"),
        ("users", "thinned", "are gone"),
        ("users", "other ids", "changed its ids"),
        ("users", "all deleted", "there is nothing now"),
        ("classes", "one school", "has 0 records, and had 15"),
    ],
)
async def test_a_broken_export_is_held_and_the_old_snapshot_stays(
    tmp_path: Path, resource: str, how: str, said: str
) -> None:
    async with Emulator(tenants=1, rows=900, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        bad = await nights(config, emulator, resource, how)
        assert bad["exit_code"] == 10
        (result,) = bad["results"]
        assert said in result["guard"], result
        assert current(lake, resource) == "good"
        dry = command("release", config.path, "bad", "--dry-run")
        assert said in dry.stdout
        assert current(lake, resource) == "good"
        done = command("release", config.path, "bad", "--resource", resource)
        assert done.returncode == 0, done.stderr
        assert current(lake, resource) == "bad"
        after = json.loads(command("show", config.path, "bad", "--json").stdout)
        assert (after["held"], after["committed"], after["exit_code"]) == (0, 1, 0)
        assert command("verify", config.path).returncode == 0
        assert "holds nothing" in command("release", config.path, "bad").stderr


async def test_an_ordinary_night_is_compared_and_published(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=900, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path, require="uncertified"), Lake(tmp_path / "lake")
        await run(config, resources=["users"], run_id="good")
        rows = rows_of(emulator)
        del rows[5:25]
        spoil(rows, "shuffled")
        again = await run(config, resources=["users"], run_id="next")
        assert again["exit_code"] == 0, again
        assert current(lake) == "next"
        (path,) = lake.root.glob(f"{PROVIDER}/users/*/*/run=next/_manifest.json")
        compared = json.loads(path.read_bytes())["compared"]
        assert (compared["run"], compared["vanished"], compared["added"]) == ("good", 20, 0)
        assert compared["schools"], "which schools they went from"


async def test_thresholds_are_the_users_to_set(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=300, providers=(PROVIDER,)) as emulator:
        config = configure(emulator, tmp_path)
        text = config.path.read_text() + "\n[guards]\nvanished_count = 3\nvanished_share = 0.001\n"
        config.path.write_text(text + "[guards.resources.orgs]\nenabled = false\n")
        config = load(config.path)
        await run(config, resources=["users", "orgs"], run_id="good")
        del rows_of(emulator)[:4]
        rows_of(emulator, "orgs").clear()
        bad = await run(config, resources=["users", "orgs"], run_id="bad")
        states = {result["resource"]: result["state"] for result in bad["results"]}
        assert states == {"users": "held", "orgs": "committed"}


async def test_a_release_that_is_cut_off_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Emulator(tenants=1, rows=300, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        await nights(config, emulator, "users", "emptied")
    sink = open_sink(config, Threads())

    async def torn(*_: object) -> None:
        raise SinkError("the plug was pulled")

    for step in ("point", "close_run"):
        with monkeypatch.context() as patch:
            patch.setattr(LocalSink, step, torn)
            manifest = find_run(sink, "bad")
            with pytest.raises(SinkError):
                await release(sink, manifest, held_pulls(sink, manifest), 1.0)
    manifest = find_run(sink, "bad")
    await release(sink, manifest, held_pulls(sink, manifest), 2.0)
    assert current(lake) == "bad"
    assert find_run(sink, "bad")["held"] == 0


async def test_a_resumed_run_keeps_what_was_held(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=300, providers=(PROVIDER,)) as emulator:
        config = configure(emulator, tmp_path)
        await nights(config, emulator, "users", "emptied")
        again = await run(config, resume="bad")
        assert (again["held"], again["exit_code"]) == (1, 10)


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = tmp_path / "a.toml"
    config.write_text(
        f'[sink]\nurl = "{tmp_path}/lake"\n[state]\npath = "{tmp_path}/state"\n[applications.a]\n'
        'provider = "flyt-skole"\nclient_id = "env:A"\nclient_secret = "env:B"\n'
    )
    done = command("release", config, "nothing")
    assert done.returncode == 2
    assert "there is no run nothing" in done.stderr
