"""How near does the governor come to limits that nobody told it, how seldom is it refused, is it fair?

`make governor SEEDS=200 FIRST=0` plays servers at random and prints a table; named ones are in the suite.
"""

from __future__ import annotations

import statistics
import sys

import pytest

from tests import virtual
from tests.simulation.governor_world import Hidden, Told, any_hidden, night

NAMED = {
    "bucket": Hidden(rate=50, burst=100),
    "bucket, Retry-After": Hidden(rate=50, burst=100, retry_after=True),
    "window, Retry-After": Hidden(rate=10, window=60, retry_after=True),
    "window": Hidden(rate=10, window=60),
    "cap of 12 at once": Hidden(cap=12),
    "8 workers": Hidden(workers=8, service=0.2),
    "halves, comes back": Hidden(rate=50, burst=50, changes=((260, 25), (460, 50))),
    "50/s, 6 workers": Hidden(rate=50, burst=100, workers=6, service=0.2),
    "5/s": Hidden(rate=5, burst=5),
}
LASTS = 660.0


def play(hidden: Hidden, seed: int, lasts: float, tenants: int) -> Told:
    return virtual.run(lambda: night(hidden, seed, lasts=lasts, tenants=tenants))


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("name", NAMED)
def test_it_comes_near_a_limit_that_nobody_told(name: str, seed: int) -> None:
    told = play(NAMED[name], seed, LASTS, 5)
    again = f"pytest 'tests/simulation/test_governor.py' -k '{name}-{seed}'"
    assert told.goodput >= (0.9 if name == "halves, comes back" else 0.93), f"{told}; again: {again}"
    assert told.refused < (0.02 if name == "window" else 0.01), f"{told}; again: {again}"
    assert told.jain >= 0.98, f"{told}; again: {again}"


def test_at_random_it_is_near_in_the_mean_and_never_unfair() -> None:
    nights = {seed: play(any_hidden(seed)[0], seed, *any_hidden(seed)[1:]) for seed in range(100, 112)}
    assert statistics.mean(told.goodput for told in nights.values()) >= 0.9, nights
    assert min(told.jain for told in nights.values()) >= 0.98, nights


FACTS = ("rate", "burst", "window", "cap", "workers", "service", "trip", "retry_after", "changes")


def in_words(hidden: Hidden) -> str:
    facts = {name: getattr(hidden, name) for name in FACTS}
    said = {name: value for name, value in facts.items() if value not in (None, False, (), 1.0)}
    return ", ".join(f"{name} {round(v, 2) if isinstance(v, float) else v}" for name, v in said.items())


def main(first: int, seeds: int) -> None:
    print("| seed | server | goodput | refused | worst Jain | median s |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    nights = []
    for seed in range(first, first + seeds):
        hidden, lasts, tenants = any_hidden(seed)
        told = play(hidden, seed, lasts, tenants)
        nights.append(told)
        figures = f"{told.goodput:.1%} | {told.refused:.2%} | {told.jain:.3f} | {told.median:.2f}"
        print(f"| {seed} | {in_words(hidden)} | {figures} |", flush=True)
    goodputs, refused = ([getattr(told, name) for told in nights] for name in ("goodput", "refused"))
    print(f"\n{seeds} servers")
    print(f"goodput: {statistics.mean(goodputs):.1%} in the mean, {min(goodputs):.1%} at worst")
    print(f"         below 93 % in {sum(one < 0.93 for one in goodputs)}")
    print(f"refused: {statistics.mean(refused):.2%} in the mean, {max(refused):.2%} at worst")
    print(f"         1 % or more in {sum(one >= 0.01 for one in refused)}")
    print(f"Jain:    {min(told.jain for told in nights):.3f} at worst")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
