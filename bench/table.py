"""The result as a table for people, and as plain data for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

import goals
from catalogue import Contender
from ratios import Sample, ratio, samples, without_start


@dataclass
class Result:
    field: Sequence[Contender]
    sizes: dict[str, int]
    rounds: list[dict[str, Sample]] = field(default_factory=list)
    starts: dict[str, list[Sample]] = field(default_factory=dict)
    """harvests of a single page: what starting costs"""
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)

    def skip(self, contender: Contender, why: str) -> None:
        self.skipped[contender.name] = why

    def plain(self) -> dict[str, object]:
        return {
            "machine": self.machine,
            "sizes": self.sizes,
            "versions": self.versions,
            "skipped": self.skipped,
            "rounds": [{name: asdict(sample) for name, sample in one.items()} for one in self.rounds],
            "starts": {name: [asdict(one) for one in found] for name, found in self.starts.items()},
        }


HOW = """\
{rows:,} OneRoster users of about 1 KB in pages of 100; {rounds} interleaved rounds; {machine}.

Rates are wall clock over the whole process, start-up included; medians over the rounds. "Without start-up"
takes off what a harvest of a single page took in the same round. Ratios are medians of the ratios within a
round; the ceiling is bare aiohttp, plain or gzip as the contender. Every contender's records (or bytes, where
it throws them away) were counted in every run, and harvester's pulls were certified. Those marked * ran on
{part:,} records and are scaled to {rows:,}: start-up once, the rest in proportion; their peak memory is that
of the smaller run."""

HEAD = (
    "contender",
    "records/s",
    "without start-up",
    "records per CPU s",
    "CPU s per million",
    "peak MiB",
    "MB written",
    "x ceiling",
    "harvester is",
    "version",
)


def markdown(result: Result) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in result.machine.items())
    sizes = result.sizes
    lines = [
        "# Side by side",
        "",
        HOW.format(rows=sizes["all"], part=sizes["part"], rounds=len(result.rounds), machine=machine),
        "",
        row(HEAD),
        row(["---", *["---:"] * (len(HEAD) - 2), "---"]),
        *(
            row(cells(result, contender))
            for contender in result.field
            if samples(result.rounds, contender.name)
        ),
        "",
        "## Goals",
        "",
        row(("who", "goal", "reached", "")),
        row(["---"] * 4),
        *map(row, goals.rows(result.rounds)),
        "",
    ]
    if result.skipped:
        lines += [
            "## Skipped",
            "",
            *(f"* {name}: {one_line(why)}" for name, why in result.skipped.items()),
            "",
        ]
    return "\n".join(lines)


def cells(result: Result, contender: Contender) -> list[str]:
    found = samples(result.rounds, contender.name)
    to_ceiling = ratio(result.rounds, contender.name, contender.ceiling)
    ours = ratio(result.rounds, "harvester-gzip" if contender.gzip else "harvester", contender.name)
    starts = result.starts.get(contender.name, [])
    running = [rate for a, b in zip(found, starts, strict=False) if (rate := without_start(a, b)) is not None]
    return [
        contender.title + (" *" if contender.slow else ""),
        f"{median(sample.rate for sample in found):,.0f}",
        f"{median(running):,.0f}" if running else "-",
        f"{median(sample.per_core for sample in found):,.0f}",
        f"{median(sample.cpu_per_million for sample in found):.1f}",
        f"{max(sample.peak for sample in found):.0f}",
        f"{found[0].written / 1e6:.1f}" if found[0].written else "-",
        "-" if to_ceiling is None else f"{to_ceiling:.2f}",
        "-" if ours is None else f"{ours:.2f} x",
        result.versions.get(contender.name, ""),
    ]


def row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def one_line(why: str) -> str:
    return why.strip().splitlines()[-1][:200] if why.strip() else "no reason given"
