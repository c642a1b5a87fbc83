"""Going on by id: each range goes on behind its own last frame, and the end is equal to the byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harvester.emulator.server import Emulator
from harvester.events import Event, Notice
from harvester.sinks import part
from tests.harvesting import Lake, run
from tests.integration.test_keyset import ONE, PROVIDER, TENANT, keyed, lines
from tests.integration.test_resume import digests, dying_after, untimed

pytestmark = pytest.mark.anyio

LANES = 4


@pytest.fixture(autouse=True)
def _small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "FRAME", 30_000)


def knowing(known: Path, folder: Path) -> None:
    """Let a state folder hold what another one has found out."""
    shutil.copytree(known / "state/dialects", folder / "state/dialects")


@pytest.mark.parametrize("died_after", [1, 3, 7, 12, 20, 29, 31])
@pytest.mark.parametrize("spec", ["", "cap:61", "filter:exclusive"])
async def test_each_range_goes_on_from_its_last_frame(tmp_path: Path, spec: str, died_after: int) -> None:
    async with Emulator(tenants=1, rows=3_000, providers=ONE, faults=spec) as emulator:
        first, calm_folder, cut_folder = (tmp_path / name for name in ("first", "calm", "cut"))
        await run(keyed(emulator, first), resources=["users"])
        calm, cut = keyed(emulator, calm_folder), keyed(emulator, cut_folder)
        knowing(first, calm_folder)
        knowing(first, cut_folder)
        before = emulator.requests["all"]
        await run(calm, resources=["users"])
        spent = emulator.requests["all"] - before
        died = await run(cut, resources=["users"], observe=dying_after(died_after))
        assert died["failed"] == 1
        done = await run(cut, resources=["users"], resume="newest")
        assert done["exit_code"] == 0, done
        again = emulator.requests["all"] - before - 2 * spent
        assert digests(cut_folder / "lake") == digests(calm_folder / "lake")
        assert lines(cut_folder) == emulator.records(PROVIDER, TENANT, "users")
        whole, resumed = (
            untimed(Lake(folder / "lake").manifest(PROVIDER, "users", TENANT))
            for folder in (calm_folder, cut_folder)
        )
        assert resumed["certificate"] == whole["certificate"]
        assert (resumed["parts"], resumed["bytes"]) == (whole["parts"], whole["bytes"])
        unwritten = 2 * LANES  # pages whose frame was not full yet
        assert again <= LANES + unwritten, f"{again} pages were fetched twice"
        assert not list((cut_folder / "lake/_staging").glob("*/*"))
        assert not list((cut_folder / "state/runs").glob("*/*.pages*"))


async def test_it_may_die_again_and_again(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=3_000, providers=ONE) as emulator:
        calm, cut = keyed(emulator, tmp_path / "calm"), keyed(emulator, tmp_path / "cut")
        await run(calm, resources=["users"])
        knowing(tmp_path / "calm", tmp_path / "cut")
        order: dict[str, str] = {}
        lives = 0
        while (await run(cut, resources=["users"], observe=dying_after(17), **order))["exit_code"]:
            order = {"resume": "newest"}
            lives += 1
            assert lives < 15, "it never gets on"
        assert lives > 1
        assert digests(tmp_path / "cut/lake") == digests(tmp_path / "calm/lake")


@pytest.mark.parametrize("damage", ["range's part", "range's journal", "first part"])
async def test_a_damaged_range_is_read_again_from_what_is_whole(tmp_path: Path, damage: str) -> None:
    async with Emulator(tenants=1, rows=3_000, providers=ONE) as emulator:
        config = keyed(emulator, tmp_path)
        await run(config, resources=["users"], observe=dying_after(17 + 31))
        staged = {path.name: path for path in (tmp_path / "lake/_staging").rglob("part-*")}
        match damage:
            case "range's part":
                staged["part-01000.ndjson.gz"].write_bytes(b"\0")
            case "first part":
                staged["part-00000.ndjson.gz"].write_bytes(b"\0")
            case _:
                (journal,) = (tmp_path / "state/runs").glob("*/*.pages.2")
                journal.unlink()
        done = await run(config, resources=["users"], resume="newest")
        assert done["exit_code"] == 0, done
        assert lines(tmp_path) == emulator.records(PROVIDER, TENANT, "users")


async def test_a_contradiction_after_a_death_starts_over_by_offset(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=3_000, providers=ONE) as emulator:
        config = keyed(emulator, tmp_path)
        await run(config, resources=["users"], observe=dying_after(17 + 31))
        emulator.faults.filter = "ignored"
        told: list[Event] = []
        done = await run(config, resources=["users"], resume="newest", observe=told.append)
        assert done["exit_code"] == 0, done
        assert any("given up" in event.what for event in told if isinstance(event, Notice))
        certificate = Lake(tmp_path / "lake").manifest(PROVIDER, "users", TENANT)["certificate"]
        assert (certificate["strategy"], certificate["verdict"]) == ("offset", "certified")
        assert lines(tmp_path) == emulator.records(PROVIDER, TENANT, "users")
