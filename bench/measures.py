"""What one contender's process cost, and how contenders compare: figures only, nothing is run here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Measure:
    """One process, from its start to its exit."""

    records: int
    seconds: float
    cpu: float
    """seconds, user and system"""
    peak: float
    """MiB resident"""
    left: int
    """bytes in files at the end"""

    @property
    def rate(self) -> float:
        """Records a second, the process's start and end included."""
        return self.records / self.seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One contender over all rounds; medians, but the highest peak."""

    name: str
    records: int
    rate: float
    per_core: float
    """records a second of CPU"""
    cpu_million: float
    """CPU seconds for a million records"""
    peak: float
    left: float
    """bytes for each record"""
    of_ceiling: float
    """its rate over the ceiling's, in the same round"""
    ours_over_it: float
    """our rate over its, in the same round"""


Rounds = Sequence[Mapping[str, Measure]]


def rows(rounds: Rounds, ceilings: Mapping[str, str], ours: Mapping[str, str]) -> list[Row]:
    """A row for each contender that ran in every round.

    `ceilings` and `ours` name, for each contender, whom of the same round to hold it against.
    """
    names = [name for name in rounds[0] if all(name in measured for measured in rounds)]
    return [_row(name, rounds, ceilings[name], ours[name]) for name in names]


def _row(name: str, rounds: Rounds, ceiling: str, ours: str) -> Row:
    own = [measured[name] for measured in rounds]
    return Row(
        name=name,
        records=own[0].records,
        rate=median(one.rate for one in own),
        per_core=median(one.records / one.cpu for one in own),
        cpu_million=median(one.cpu / one.records * 1e6 for one in own),
        peak=max(one.peak for one in own),
        left=median(one.left / one.records for one in own),
        of_ceiling=median(one[name].rate / one[ceiling].rate for one in rounds),
        ours_over_it=median(one[ours].rate / one[name].rate for one in rounds),
    )


def table(found: Sequence[Row]) -> str:
    """The rows as Markdown."""
    head = (
        "| contender | records | records/s | records/s of CPU | CPU s per million | peak MiB "
        "| bytes a record on disk | of the ceiling | ours is faster by |\n" + "| --- |" + " ---: |" * 8
    )
    lines = [
        f"| {row.name} | {row.records:,} | {row.rate:,.0f} | {row.per_core:,.0f} | {row.cpu_million:.1f} "
        f"| {row.peak:.0f} | {row.left:.0f} | {row.of_ceiling:.0%} | {row.ours_over_it:.1f} x |"
        for row in found
    ]
    return "\n".join([head, *lines])


def judged(goals: Sequence[tuple[str, float, float]]) -> str:
    """Goals as Markdown: (what, what was to be reached, what was)."""
    lines = ["| goal | at least | measured | |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {what} | {wanted:g} | {got:.2f} | {'met' if got >= wanted else 'not met'} |"
        for what, wanted, got in goals
    ]
    return "\n".join(lines)
