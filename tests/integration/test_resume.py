"""Going on page by page: what a pull had on disk when it died is not fetched again, and its end is equal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harvester.config.load import Config, load
from harvester.emulator.server import Emulator
from harvester.errors import HarvesterError
from harvester.events import Event, Notice, PageFetched
from harvester.sinks import part
from tests.harvesting import Lake, configure, run

pytestmark = pytest.mark.anyio

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"
IN_FLIGHT = 8
"""Pages of one pull on their way at once."""


class PlugPulledError(HarvesterError):
    """What stands for a death in these tests: nothing after it is written."""


def dying_after(pages: int) -> Callable[[Event], None]:
    count = 0

    def observe(event: Event) -> None:
        nonlocal count
        count += isinstance(event, PageFetched)
        if isinstance(event, PageFetched) and count > pages:
            raise PlugPulledError("the plug was pulled")

    return observe


@pytest.fixture(autouse=True)
def _small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "FRAME", 30_000)


def digests(root: Path) -> dict[str, str]:
    """Every visible part, less the day and the run in its path."""
    return {
        "/".join(p for p in path.parts if "=" not in p or p.startswith("tenant")): hashlib.sha256(
            (root / path).read_bytes()
        ).hexdigest()
        for path in Lake(root).visible()
        if path.name != "_manifest.json"
    }


def untimed(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a manifest claims, less what depends on when and by how many requests."""
    changing = ("run", "started", "finished", "requests", "retries", "high_water_mark")
    return {key: value for key, value in manifest.items() if key not in changing}


def spelled(config: Config, old: str, new: str) -> Config:
    text = config.path.read_text(encoding="utf-8")
    assert old in text
    config.path.write_text(text.replace(old, new), encoding="utf-8")
    return load(config.path)


@pytest.mark.parametrize("died_after", [1, 5, 14])
@pytest.mark.parametrize(
    "spec",
    ["", "nototal", "cap:37", "short-pages", "linkonly", "flaws", "refuse-sort", "unsorted", "long-pages"],
)
async def test_a_pull_goes_on_from_its_last_frame(tmp_path: Path, spec: str, died_after: int) -> None:
    faults = "" if spec == "unsorted" else spec
    async with Emulator(tenants=1, rows=2000, providers=(PROVIDER,), faults=faults) as emulator:
        for name in ("calm", "cut"):
            (tmp_path / name).mkdir()
        calm = configure(emulator, tmp_path / "calm", require="uncertified")
        if spec == "unsorted":  # no order by id: duplicates are told by digests
            calm = spelled(calm, f'provider = "{PROVIDER}"', f'provider = "{PROVIDER}"\nsort = false')
        await run(calm, resources=["users"])
        fetched = emulator.requests["all"]
        cut = configure(emulator, tmp_path / "cut", require="uncertified")
        first = await run(cut, resources=["users"], observe=dying_after(died_after))
        assert first["failed"] == 1
        before = emulator.requests["all"]
        second = await run(cut, resources=["users"], resume="newest")
        assert second["exit_code"] == 0, second
        again = before - fetched + emulator.requests["all"] - before - fetched
        calm_lake, cut_lake = Lake(tmp_path / "calm/lake"), Lake(tmp_path / "cut/lake")
        assert digests(cut_lake.root) == digests(calm_lake.root)
        whole, resumed = (untimed(lake.manifest(PROVIDER, "users", TENANT)) for lake in (calm_lake, cut_lake))
        assert resumed["certificate"]["verdict"] == whole["certificate"]["verdict"]
        assert (resumed["parts"], resumed["quarantined"]) == (whole["parts"], whole["quarantined"])
        unwritten = 2  # pages whose frame was not full yet
        replanned = 8 if spec == "short-pages" else 0  # each short page asks for what lies behind it
        assert again <= IN_FLIGHT + unwritten + replanned, f"{again} pages were fetched twice"
        if died_after > 12 and not replanned:
            assert again < died_after, "nothing was gone on with"


async def test_it_may_die_again_and_again(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=2000, providers=(PROVIDER,)) as emulator:
        for name in ("calm", "cut"):
            (tmp_path / name).mkdir()
        await run(configure(emulator, tmp_path / "calm"), resources=["users"])
        cut = configure(emulator, tmp_path / "cut")
        order: dict[str, str] = {}
        lives = 0
        while (await run(cut, resources=["users"], observe=dying_after(6), **order))["exit_code"]:
            order = {"resume": "newest"}
            lives += 1
            assert lives < 15, "it never gets on"
        assert lives > 2
        assert digests(tmp_path / "cut/lake") == digests(tmp_path / "calm/lake")
        whole, resumed = (
            Lake(tmp_path / name / "lake").manifest(PROVIDER, "users", TENANT) for name in ("calm", "cut")
        )
        assert resumed["certificate"]["verdict"] == "certified"
        assert resumed["certificate"]["unique"] == whole["certificate"]["unique"]
        assert resumed["requests"] > whole["requests"], "requests of all lives count"
        assert not list((tmp_path / "cut/lake/_staging").glob("*/*"))
        assert not list((tmp_path / "cut/state/runs").glob("*/*.pages"))


@pytest.mark.parametrize("died_after", [3, 90, 250])
async def test_child_resources_go_on_behind_the_last_parents(
    tmp_path: Path, died_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "FRAME", 3_000)
    async with Emulator(tenants=1, rows=300, providers=(PROVIDER,)) as emulator:
        for name in ("calm", "cut"):
            (tmp_path / name).mkdir()
        await run(configure(emulator, tmp_path / "calm"), resources=["users_classes"])
        fetched = emulator.requests["all"]
        cut = configure(emulator, tmp_path / "cut")
        await run(cut, resources=["users_classes"], observe=dying_after(died_after))
        done = await run(cut, resources=["users_classes"], resume="newest")
        assert done["exit_code"] == 0, done
        assert digests(tmp_path / "cut/lake") == digests(tmp_path / "calm/lake")
        again = emulator.requests["all"] - 2 * fetched
        assert again <= 32 + 32 + 4, "a batch in flight, one in a frame that was not full, and the parents"


@pytest.mark.parametrize("damage", ["configuration", "frame", "journal", "version"])
async def test_what_can_not_be_gone_on_with_is_explained_and_starts_over(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Emulator(tenants=1, rows=2000, providers=(PROVIDER,)) as emulator:
        config = configure(emulator, tmp_path)
        await run(config, resources=["users"], observe=dying_after(14))
        (journal,) = (tmp_path / "state/runs").glob("*/*.pages")
        match damage:
            case "configuration":
                config = spelled(
                    config, f"[applications.{PROVIDER}]", f"[applications.{PROVIDER}]\nsort = false"
                )
            case "frame":
                (first,) = (tmp_path / "lake/_staging").rglob("part-00000*")
                first.write_bytes(b"\0" + first.read_bytes()[1:])
            case "journal":
                journal.write_bytes(b"x" + journal.read_bytes())
            case _:
                monkeypatch.setattr("harvester.sinks.page_journal.SCHEMA_VERSION", 2)
        told: list[Event] = []
        done = await run(config, resources=["users"], resume="newest", observe=told.append)
        assert done["exit_code"] == 0, done
        said = [event.what for event in told if isinstance(event, Notice)]
        words = {"configuration": "configuration has changed", "journal": "damaged", "version": "version 1"}
        assert damage == "frame" or any(words[damage] in what for what in said), said
        lines = Lake(tmp_path / "lake").lines(PROVIDER, "users", TENANT)
        assert sorted(lines) == sorted(emulator.records(PROVIDER, TENANT, "users"))


async def test_a_roster_that_changed_meanwhile_is_still_joined(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=2000, providers=(PROVIDER,)) as emulator:
        config = configure(emulator, tmp_path)
        await run(config, resources=["users"], observe=dying_after(14))
        rows = emulator.tenant(PROVIDER, TENANT).collection("users")
        gone = [rows.pop(place) for place in (1900, 3)]  # type: ignore[attr-defined]
        done = await run(config, resources=["users"], resume="newest")
        assert done["exit_code"] == 0, done
        ids = {row.id for row in rows}
        lines = set(Lake(tmp_path / "lake").lines(PROVIDER, "users", TENANT))
        assert {row.text for row in rows} <= lines
        assert len(lines) <= len(ids) + len(gone)
