"""bench.json as bench.png: records a second, and records a second of CPU. Argument: the folder of both."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

folder = Path(sys.argv[1])
rounds = json.loads((folder / "bench.json").read_text())
names = sorted(rounds[0], key=lambda name: median(r[name]["records"] / r[name]["seconds"] for r in rounds))
figure, axes = plt.subplots(1, 2, figsize=(12, 0.45 * len(names) + 1.2), sharey=True)
for axis, cost, title in zip(axes, ("seconds", "cpu"), ("records/s", "records/s of CPU"), strict=True):
    rates = [median(r[name]["records"] / r[name][cost] for r in rounds) for name in names]
    bars = axis.barh(
        names, rates, color=["#c0392b" if n.startswith("harvester") else "#7f8c8d" for n in names]
    )
    axis.bar_label(bars, [f" {rate:,.0f}" for rate in rates], fontsize=8)
    axis.set_xscale("log")
    axis.set_xlim(right=max(rates) * 3)
    axis.set_title(title)
    axis.spines[["top", "right"]].set_visible(False)
figure.tight_layout()
figure.savefig(folder / "bench.png", dpi=110)
