"""Peak memory and time of one process that harvests many tenants, against their number of records.

python bench/many_tenants.py TENANTS ROWS: TENANTS x 3 resources of an emulator in a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main(tenants: str, rows: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "many.toml"
        serve = [sys.executable, "-m", "harvester", "emulate", "--port", "0", "--config", str(config)]
        words = [*serve, "--tenants", tenants, "--rows", rows]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as emulator:
            try:
                assert emulator.stderr is not None
                while "its configuration" not in emulator.stderr.readline():
                    pass
                text = config.read_text().replace('"./lake"', f'"{folder}/lake"')
                config.write_text(text.replace('"./state"', f'"{folder}/state"'))
                began = time.monotonic()
                run = [sys.executable, "-m", "harvester", "run", str(config), "--progress", "none"]
                three = ["--resource", "orgs", "--resource", "users", "--resource", "enrollments"]
                words = [*run, "--tenant", "oneroster-v1p2-*", *three]
                done = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False)
                took = time.monotonic() - began
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
                print(f"{tenants} x 3 pulls, {rows} users each: {took:.1f} s, peak {peak:.0f} MiB")
                print((done.stderr or "").strip().splitlines()[-1])
            finally:
                emulator.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:3])
