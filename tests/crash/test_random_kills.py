"""`harvester run` killed at random moments, one to three times, then resumed: equal to an undisturbed run.

KILLS=300 SEED=7 pytest -s tests/crash/test_random_kills.py; `make crash KILLS=300`. The moments are drawn
from the seed; where in the program they fall depends on the machine.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harvester.emulator.server import Emulator
from tests.crash.wreck import Site, serving, site

KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("SEED", "1"))
ROWS = 4000
"""Users: some twelve frames, forty pages."""
LATENCY = "latency:50ms"
WORDS = ("run", "emulated.toml", "--progress", "none", "--resource", "users", "--resource", "orgs")
PAGES_AT_STAKE = 24
"""Fetched again after a death, at most: eight pages in flight, four of a frame that was not full, a resource
that fits in a frame and so has no journal, and what was on its way to the disk."""


@dataclass
class Life:
    """One site from its first process to its end."""

    place: Site
    dice: random.Random
    calm: dict[str, Any]
    took: float
    """seconds that an undisturbed run takes from its lock to its end"""
    kills: int = 0
    met: Counter[str] = field(default_factory=Counter)

    def live(self, deaths: int) -> None:
        words: tuple[str, ...] = WORDS
        for _ in range(deaths):
            process = start(self.place, words)
            try:
                moment = began(self.place, process) + self.dice.uniform(0.0, self.took)
                while process.poll() is None and time.monotonic() < moment:
                    time.sleep(0.001)
            finally:
                process.kill()
            code = process.wait(20)
            assert code in (-9, 0), code
            self.look()
            self.kills += code != 0
            if self.place.ended():
                return  # `--resume` would begin another run
            words = (*WORDS, "--resume")
        code = start(self.place, words).wait(60)
        assert code == 0, (self.place.folder / "stderr").read_text()

    def look(self) -> None:
        """Nothing half-written, and note what was met."""
        self.place.check_visible()
        lake = self.place.lake
        if self.place.ended():
            self.met["at the end"] += 1
        elif list(lake.glob("*/users/*/*/*/_manifest.json")):
            self.met["after the commit"] += 1
        elif list((self.place.folder / "state/runs").rglob("*.users.*.pages")):
            self.met["between frames"] += 1
        else:
            self.met["before the first frame"] += 1


def start(place: Site, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    (place.folder / "state/lock").unlink(missing_ok=True)
    with (place.folder / "stderr").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "harvester", *words],
            cwd=place.folder,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )


def began(place: Site, process: subprocess.Popen[bytes]) -> float:
    """When the process took the lock."""
    lock = place.folder / "state/lock"
    while process.poll() is None and not lock.exists():
        time.sleep(0.002)
    return time.monotonic()


def api_requests(emulator: Emulator) -> int:
    return emulator.requests.get("all", 0)


@pytest.mark.timeout(0 if KILLS > 50 else 110)
def test_killed_at_random_moments_it_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    with serving(ROWS, LATENCY) as emulator:
        took, pages = 0.0, 0
        for name in ("first", "calm"):  # the first one waits for the emulator to make up its roster
            place = site(emulator, tmp_path / name)
            before = api_requests(emulator)
            process = start(place, WORDS)
            since = began(place, process)
            assert process.wait(60) == 0, (place.folder / "stderr").read_text()
            took, pages = time.monotonic() - since, api_requests(emulator) - before
        calm = place.contents()
        assert calm
        kills, runs, again = 0, 0, 0
        met: Counter[str] = Counter()
        while kills < KILLS:
            seed = SEED + runs
            where = f"run with SEED={seed}: SEED={seed} KILLS=1 pytest -s {__file__}"
            dice = random.Random(seed)
            life = Life(site(emulator, tmp_path / f"run-{seed}"), dice, calm, took)
            before = api_requests(emulator)
            life.live(dice.choice((1, 1, 2, 3)))
            assert life.place.contents() == calm, where
            life.place.check_left_over()
            assert len(list((life.place.lake / "_runs").iterdir())) == 1, where
            extra = api_requests(emulator) - before - pages
            assert extra <= life.kills * PAGES_AT_STAKE, f"{extra} pages fetched again, {where}"
            kills, runs, again = kills + life.kills, runs + 1, again + extra
            met += life.met
            shutil.rmtree(life.place.folder)
            if runs % 25 == 0:
                print(f"{kills} kills in {runs} runs so far", flush=True)
    print(
        f"{kills} kills in {runs} runs (SEED={SEED}): {runs} of {runs} resumed to identical bytes; "
        f"{again / kills:.1f} of {pages} pages fetched again a kill; met {dict(met)}; "
        f"a calm run takes {took:.1f} s"
    )
