"""Pulling what changed: the base and its increments, merged, are the server's own state."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harvester.config.load import Config, load
from harvester.emulator.roster import Row
from harvester.emulator.server import Emulator
from harvester.errors import UsageError
from harvester.events import Event, Notice
from tests.harvesting import Lake, command, configure, run

pytestmark = pytest.mark.anyio

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"


def rows_of(emulator: Emulator, resource: str = "users") -> list[Row]:
    rows = emulator.tenant(PROVIDER, TENANT).collection(resource)
    assert isinstance(rows, list)
    return rows


def put(rows: list[Row], row_id: str, **fields: object) -> None:
    """Insert or change a record, as the server's application would: with a new stamp, in order of id."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    old = next((row.value for row in rows if row.id == row_id), {})
    record = {**old, "sourcedId": row_id, "status": "active", "dateLastModified": now, **fields}
    rows[:] = sorted(
        [
            *(row for row in rows if row.id != row_id),
            Row(row_id, record, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()),
        ],
        key=lambda row: row.id,
    )


def pointer(lake: Lake) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads((lake.root / f"_current/{PROVIDER}/users/{TENANT}.json").read_bytes())
    return found


def manifest(lake: Lake, run_id: str) -> Mapping[str, Any]:
    (path,) = lake.root.glob(f"{PROVIDER}/users/*/*/run={run_id}/_manifest.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


async def pull(config: Config, run_id: str, mode: str = "incremental", **more: Any) -> Mapping[str, Any]:
    """One pull of the users; the pull's line in the run's manifest."""
    done = await run(config, resources=["users"], run_id=run_id, mode=mode, **more)
    (result,) = done["results"]
    assert result["state"] == "committed", result
    found: Mapping[str, Any] = result
    return found


async def test_base_and_increments_merged_are_the_servers_state(tmp_path: Path) -> None:
    rng = random.Random(7)
    async with Emulator(tenants=1, rows=400, providers=(PROVIDER,)) as emulator:
        config, lake, rows = configure(emulator, tmp_path), Lake(tmp_path / "lake"), rows_of(emulator)
        assert (await pull(config, "night-0"))["mode"] == "full", "nothing to build upon yet"
        for night in range(1, 5):
            for i in range(rng.randrange(1, 6)):
                put(rows, f"new-{night}-{i}", givenName="Kari")
                put(rows, rng.choice(rows).id, givenName=f"changed {night}")
                put(rows, rng.choice(rows).id, status="tobedeleted")
            result = await pull(config, f"night-{night}")
            assert result["mode"] == "incremental"
            assert result["records"] < 40, "an increment is small"
        said = pointer(lake)
        assert said["run"] == "night-0"
        assert [one["run"] for one in said["increments"]] == [f"night-{n}" for n in range(1, 5)]
        assert manifest(lake, "night-2")["since"] == manifest(lake, "night-1")["high_water_mark"]
        assert manifest(lake, "night-4")["tombstones"] > 0
        state = command("snapshot", config.path, TENANT, "users")
        expected = [row.text.decode() for row in rows if row.value["status"] != "tobedeleted"]
        found = state.stdout.split("\n")[:-1]
        assert set(expected) - set(found) == set()
        assert sorted(found) == sorted(expected)
        assert (await pull(config, "night-5", "full"))["mode"] == "full"
        assert pointer(lake)["run"] == "night-5"
        assert pointer(lake)["increments"] == []


@pytest.mark.parametrize("fault", ["ignore-filter", "refuse-unknown"])
async def test_a_server_that_can_not_filter_is_pulled_in_full_and_it_is_said(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Emulator(tenants=1, rows=150, providers=(PROVIDER,)) as emulator:
        config = configure(emulator, tmp_path)
        await pull(config, "base")
        if fault == "ignore-filter":
            monkeypatch.setattr("harvester.emulator.api.chosen", lambda rows, *_: list(rows))
        else:
            monkeypatch.setattr(
                "harvester.emulator.pages.KNOWN", frozenset({"limit", "offset", "sort", "orderBy"})
            )
            emulator.api.faults = emulator.api.dice.faults = _refusing(emulator)
        told: list[Event] = []
        result = await pull(config, "next", observe=told.append)
        assert result["mode"] == "full"
        assert result["records"] == len(rows_of(emulator))
        assert any("pulled in full" in one.what for one in told if isinstance(one, Notice))
        assert any(
            "pulled in full" in note
            for note in manifest(Lake(tmp_path / "lake"), "next")["certificate"]["notes"]
        )


def _refusing(emulator: Emulator) -> Any:

    return replace(emulator.api.faults, refuse_unknown=True)


async def test_a_full_pull_is_taken_by_itself_when_one_is_due(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=150, providers=(PROVIDER,)) as emulator:
        config = configure(emulator, tmp_path)
        await pull(config, "base")
        text = config.path.read_text().replace('name = "emulated"', 'name = "emulated"\nfull_every = "1s"')
        config.path.write_text(text)
        path = tmp_path / f"lake/_current/{PROVIDER}/users/{TENANT}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "started": 0}))
        assert (await pull(load(config.path), "next"))["mode"] == "full"


async def test_an_increment_from_a_later_moment_does_not_hide_the_gap(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=150, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        await pull(config, "base")
        put(rows_of(emulator), "new", givenName="Ola")
        await pull(config, "later", since="2999-01-01T00:00:00.000Z")
        assert pointer(lake)["increments"] == []
        await pull(config, "next")
        assert [one["run"] for one in pointer(lake)["increments"]] == ["next"]
        assert b"Ola" in b"".join(_lines(lake, "next"))


def _lines(lake: Lake, run_id: str) -> list[bytes]:

    parts = lake.root.glob(f"{PROVIDER}/users/*/*/run={run_id}/part-*")
    return [line for part in parts for line in gzip.decompress(part.read_bytes()).split(b"\n")[:-1]]


async def test_an_incremental_run_is_resumed_with_the_marks_it_began_with(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=150, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        await pull(config, "base")
        put(rows_of(emulator), "new", givenName="Ola")
        emulator.api.faults = emulator.api.dice.faults = _broken(emulator)
        first = await run(config, resources=["users"], run_id="next", mode="incremental")
        assert first["committed"] == 0
        emulator.api.faults = emulator.api.dice.faults = emulator.faults
        done = await run(config, resources=["users"], resume="next")
        assert done["committed"] == 1
        assert manifest(lake, "next")["mode"] == "incremental"
        assert manifest(lake, "next")["since"] == manifest(lake, "base")["high_water_mark"]


def _broken(emulator: Emulator) -> Any:

    return replace(emulator.api.faults, largest=1, refuse_sort=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--full", "--incremental"), "exclude each other"),
        (("--resume", "--incremental"), "in the mode in which it began"),
        (("--since", "yesterday"), "no moment"),
    ],
)
async def test_contradictions_are_usage_errors(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    async with Emulator(tenants=1, rows=10, providers=(PROVIDER,)) as emulator:
        config = configure(emulator, tmp_path)
    done = command("run", config.path, *words)
    assert (done.returncode, said in done.stderr) == (UsageError.exit_code, True), done.stderr
