"""The table as bars: records/s by contender, from bench.json; matplotlib has an environment of its own.

python bench/plot.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

OURS, THEIRS, CEILING = "#1b7f5c", "#9aa5b1", "#3b5b92"


def colour(name: str) -> str:
    if name.startswith("harvester"):
        return OURS
    return CEILING if name.startswith("aiohttp") else THEIRS


def main(folder: Path) -> None:
    found = json.loads((folder / "bench.json").read_text())
    rates: dict[str, list[float]] = {}
    for one in found["rounds"]:
        for name, sample in one.items():
            rates.setdefault(name, []).append(sample["rows"] / sample["seconds"])
    bars = sorted((median(rate), name) for name, rate in rates.items())
    figure, axes = plt.subplots(figsize=(9, 0.4 * len(bars) + 1.4), layout="constrained")
    names = [name for _, name in bars]
    drawn = axes.barh(names, [rate for rate, _ in bars], color=[colour(name) for name in names])
    axes.bar_label(drawn, labels=[f"{rate:,.0f}" for rate, _ in bars], padding=3)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("records/s, whole process, median")
    axes.set_title(
        f"{found['sizes']['all']:,} OneRoster users in pages of 100 (bare aiohttp throws them away)"
    )
    figure.savefig(folder / "bench.png", dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
