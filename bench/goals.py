"""What the tool is held to, and whether it got there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ratios import Rounds, ratio, samples


@dataclass(frozen=True)
class Goal:
    ours: str
    theirs: str
    times: float

    def reached(self, rounds: Rounds) -> float | None:
        return ratio(rounds, self.ours, self.theirs)


OURS = ("harvester", "harvester-speed")
TIMES = (
    ("", "aiohttp", 0.4),
    ("", "requests-json", 6.0),
    ("", "lightbeam", 3.5),
    ("", "dlt", 12.0),
    ("", "singer", 12.0),
    ("", "airbyte", 12.0),
    ("", "scrapy", 12.0),
    ("-gzip", "aiohttp-gzip", 0.3),
)
GOALS = [Goal(ours + variant, theirs, times) for ours in OURS for variant, theirs, times in TIMES]
MOST_MEMORY = 150.0
"""MiB at the peak"""


def rows(rounds: Rounds, goals: Sequence[Goal] = GOALS) -> list[tuple[str, str, str, str]]:
    """(who, goal, reached, met?) of those that could be measured or not."""
    lines = []
    for goal in goals:
        got = goal.reached(rounds)
        said = "not measured" if got is None else f"{got:.2f}"
        met = "-" if got is None else "met" if got >= goal.times else "**not met**"
        lines.append((goal.ours, f">= {goal.times:g} x {goal.theirs}", said, met))
    for name in (*OURS, "harvester-gzip", "harvester-speed-gzip"):
        peaks = [sample.peak for sample in samples(rounds, name)]
        if peaks:
            met = "met" if max(peaks) < MOST_MEMORY else "**not met**"
            lines.append((name, f"peak < {MOST_MEMORY:.0f} MiB", f"{max(peaks):.0f} MiB", met))
    return lines
