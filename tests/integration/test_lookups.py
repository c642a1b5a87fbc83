"""What only a look-up by id can tell: a list that leaves records out, and references that lead nowhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harvester.emulator.query import Query, chosen
from harvester.emulator.roster import Row
from harvester.emulator.server import Emulator
from tests.harvesting import Lake, configure, run

pytestmark = pytest.mark.anyio

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"


def rows_of(emulator: Emulator, resource: str) -> list[Row]:
    rows = emulator.tenant(PROVIDER, TENANT).collection(resource)
    assert isinstance(rows, list)
    return rows


def manifest(lake: Lake, resource: str, run_id: str) -> dict[str, Any]:
    (path,) = (one for one in lake.root.rglob(f"run={run_id}/_manifest.json") if f"/{resource}/" in str(one))
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


class Hiding:
    """Lists all rows but some, which can be had by id all the same."""

    def __init__(self, hidden: set[str], times: int = 10**9) -> None:
        self.hidden = hidden
        self.times = times

    def __call__(self, rows: Sequence[Row], query: Query, vice: str = "") -> list[Row]:
        listed = chosen(rows, query, vice)
        if self.times and any(row.id in self.hidden for row in listed):
            self.times -= 1
            return [row for row in listed if row.id not in self.hidden]
        return listed


@pytest.mark.parametrize("times", [1, 10**9])
async def test_a_list_that_leaves_records_out_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    async with Emulator(tenants=1, rows=80, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        await run(config, resources=["users"], run_id="good")
        hidden = {row.id for row in rows_of(emulator, "users")[10:13]}
        monkeypatch.setattr("harvester.emulator.api.chosen", Hiding(hidden, times))
        done = await run(config, resources=["users"], run_id="short")
        (result,) = done["results"]
        told = manifest(lake, "users", "short")
        if times == 1:
            assert (result["state"], told["audit"]["lost"]) == ("committed", 0)
            assert told["records"] == len(rows_of(emulator, "users"))
        else:
            assert done["exit_code"] == 10
            assert "3 records that can be had by id are not listed" in result["guard"]
        assert told["audit"] | {"lost": 0} == {"vanished": 3, "checked": 3, "still_there": 3, "lost": 0}


async def test_records_that_are_gone_are_looked_up_and_nothing_more(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=300, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        await run(config, resources=["users"], run_id="good")
        del rows_of(emulator, "users")[10:140:2]
        await run(config, resources=["users"], run_id="next")
        told = manifest(lake, "users", "next")["audit"]
        assert (told["vanished"], told["still_there"], told["lost"]) == (65, 0, 0)
        assert 30 <= told["checked"] <= 50


async def test_what_others_refer_to_is_fetched_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Emulator(tenants=1, rows=200, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        enrolled = [json.loads(row.text)["user"]["sourcedId"] for row in rows_of(emulator, "enrollments")]
        hidden, gone = set(enrolled[:2]), enrolled[50]
        users = rows_of(emulator, "users")
        users[:] = [row for row in users if row.id != gone]
        monkeypatch.setattr("harvester.emulator.api.chosen", Hiding(hidden))
        done = await run(config, resources=["users", "enrollments", "classes"], run_id="one")
        assert done["exit_code"] == 0, done["results"]
        told = manifest(lake, "users", "one")
        assert told["closure"] == {"enrollments": {"dangling": 3, "fetched": 2}}
        ids = [json.loads(line)["sourcedId"] for line in lake.lines(PROVIDER, "users", TENANT)]
        assert sorted(ids) == sorted(row.id for row in users)
        assert manifest(lake, "classes", "one")["closure"] == {"enrollments": {"dangling": 0, "fetched": 0}}


async def test_collections_that_do_not_belong_together_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Emulator(tenants=1, rows=200, providers=(PROVIDER,)) as emulator:
        config, lake = configure(emulator, tmp_path), Lake(tmp_path / "lake")
        del rows_of(emulator, "users")[::2]
        await run(config, resources=["users", "enrollments"], run_id="one")
        told = manifest(lake, "users", "one")["closure"]["enrollments"]
        assert told["dangling"] > 50
        assert told["fetched"] == 0
