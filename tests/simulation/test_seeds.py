"""Whole harvests by the seed: nothing certified is lost, nothing doubled or half-written, and no hang."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.scenario import simulate

SEEDS = 200
GROUP = 20


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_seeds(first: int) -> None:
    for seed in range(first, first + GROUP):
        outcome = simulate(seed)
        assert not outcome.wrong, f"{outcome.told}: {outcome.wrong}; {outcome.again}"


def test_the_same_seed_is_the_same_run_whatever_the_hash_seed() -> None:
    def told(hash_seed: str) -> str:
        words = [sys.executable, "-m", "tests.simulation.scenario", "7"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True, env=environment)
        return done.stdout

    assert told("1") == told("2")
