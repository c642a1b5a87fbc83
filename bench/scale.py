"""What a tenant costs in one process: start-up, memory and CPU at 100, 1,000 and 10,000 tenants.

python bench/scale.py [TENANTS ...]: a pull of 47 records for each tenant; a lean origin in a process of its
own. The slope between two sizes is what one more pull costs; for a straight line, it stays the same.
The second run of each size finds the first one's lake and state.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from lean_origin import serving

CONFIG = """
[sink]
url = "{folder}/lake"
[state]
path = "{folder}/state"
[applications.origin]
provider = "oneroster-v1p2"
base_url = "http://127.0.0.1:{port}/ims/oneroster/rostering/v1p2"
token_url = "http://127.0.0.1:{port}/token"
client_id = "literal:bench"
client_secret = "literal:bench"
[tenants_from]
path = "tenants.csv"
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run."""

    first: float
    """seconds from the process's start to its first request"""
    seconds: float
    cpu: float
    """seconds"""
    peak: float
    """MiB resident"""


def harvest(folder: Path, tenants: int) -> Cost:
    with serving(47) as port, (folder / "tenants.csv").open("w") as rows:
        print("id,application,base_url,resources", file=rows)
        for number in range(tenants):
            base = f"http://127.0.0.1:{port}/t{number:05d}/ims/oneroster/rostering/v1p2"
            print(f"t{number:05d},origin,{base},users", file=rows)
        rows.flush()
        config = folder / "scale.toml"
        config.touch(0o600)
        config.write_text(CONFIG.format(folder=folder, port=port))
        words = [sys.executable, "-m", "harvester", "run", str(config), "--progress", "none", "--json"]
        began, wall = time.perf_counter(), time.time()
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(words, stdout=said, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        run = json.loads((folder / "said").read_bytes())
        assert (status, run["committed"]) == (0, tenants), run
        manifests = folder.glob(f"lake/*/users/tenant=*/dt=*/run={run['run']}/_manifest.json")
        first = min(json.loads(path.read_bytes())["started"] for path in manifests)
        until = datetime.fromisoformat(first).timestamp() - wall
        return Cost(until, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main(sizes: list[int]) -> None:
    print("| tenants | run | first request after | whole run | CPU ms a pull | peak MiB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    known: list[tuple[int, Cost]] = []
    for tenants in sizes:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            for number in ("first", "second"):
                cost = harvest(Path(folder), tenants)
                figures = f"{cost.first:.2f} s | {cost.seconds:.1f} s | {cost.cpu / tenants * 1000:.2f}"
                print(f"| {tenants:,} | {number} | {figures} | {cost.peak:.0f} |", flush=True)
        known.append((tenants, cost))
    for (few, small), (many, large) in pairwise(known):
        cpu = (large.cpu - small.cpu) / (many - few) * 1000
        memory = (large.peak - small.peak) / (many - few) * 1024
        print(f"{few:,} to {many:,}: each tenant more costs {cpu:.2f} ms of CPU and {memory:.1f} KiB")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [100, 1_000, 10_000])
