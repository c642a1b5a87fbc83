"""Medians of ratios: a round's runs met the same weather, so only a round's own numbers are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One contender in one round."""

    rows: int
    seconds: float
    cpu: float
    peak: float
    written: int

    @property
    def rate(self) -> float:
        return self.rows / self.seconds

    @property
    def per_core(self) -> float:
        """records per second of CPU"""
        return self.rows / self.cpu

    @property
    def cpu_per_million(self) -> float:
        return self.cpu / self.rows * 1e6


Rounds = Sequence[Mapping[str, Sample]]
"""one mapping a round, from contender to sample; a contender that failed is missing"""


def samples(rounds: Rounds, name: str) -> list[Sample]:
    return [one[name] for one in rounds if name in one]


def ratio(rounds: Rounds, ours: str, theirs: str) -> float | None:
    """How many times the rate of `theirs` the rate of `ours` is; None if they never ran together."""
    found = [one[ours].rate / one[theirs].rate for one in rounds if ours in one and theirs in one]
    return median(found) if found else None


def without_start(sample: Sample, start: Sample) -> float | None:
    """Records/s once running: less what one page takes. None where that leaves nothing to divide by."""
    seconds = sample.seconds - start.seconds
    return (sample.rows - start.rows) / seconds if seconds > 0 else None


def scaled(sample: Sample, start: Sample, rows: int) -> Sample:
    """What the harvest of `rows` would have cost: start-up once, and the rest in proportion.

    Without it, who is measured on fewer records would be charged for starting several times over.
    """
    times = (rows - start.rows) / (sample.rows - start.rows)

    def at_size(part: float, one: float) -> float:
        return one + max(0.0, part - one) * times

    return Sample(
        rows=rows,
        seconds=at_size(sample.seconds, start.seconds),
        cpu=at_size(sample.cpu, start.cpu),
        peak=sample.peak,
        written=round(at_size(sample.written, start.written)),
    )
