"""Is memory flat over ten million records, journal, proof and parts included?

python bench/ten_million.py [RECORDS] [PAGE]: one collection from a lean origin in a process of its own,
harvested by `harvester run` in another, whose resident memory is read twice a second; a line for each tenth.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
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
[applications.origin.limits]
page_size = {page}
[[tenants]]
id = "giant"
application = "origin"
resources = ["users"]
"""


def main(records: int, page: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ten-million-"))
    with serving(records) as port:
        config = folder / "giant.toml"
        config.touch(0o600)
        config.write_text(CONFIG.format(folder=folder, port=port, page=page))
        began = time.monotonic()
        words = [sys.executable, "-m", "harvester", "run", str(config), "--progress", "none", "--json"]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as harvester:
            samples = watch(harvester, began)
            assert harvester.stdout is not None
            manifest = json.loads(harvester.stdout.read())
        report(manifest, samples)
    shutil.rmtree(folder)


def watch(process: subprocess.Popen[str], began: float) -> list[tuple[float, int]]:
    """(seconds, resident KiB) until the process ends."""
    samples: list[tuple[float, int]] = []
    page = os.sysconf("SC_PAGE_SIZE") // 1024
    while process.poll() is None:
        try:
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            break
        samples.append((time.monotonic() - began, pages * page))
        time.sleep(0.5)
    return samples


def report(manifest: dict[str, object], samples: list[tuple[float, int]]) -> None:
    (result,) = manifest["results"]  # type: ignore[misc]
    seconds = samples[-1][0]
    print(
        f"{manifest['records']:,} records, {result['verdict']}, {manifest['requests']:,} requests,"
        f" {seconds:.0f} s, exit {manifest['exit_code']}"
    )
    for tenth in range(10):
        within = [kib for at, kib in samples if tenth <= at / seconds * 10 <= tenth + 1 and kib]
        print(f"  tenth {tenth + 1:2}: {min(within) / 1024:6.1f} to {max(within) / 1024:6.1f} MiB")


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["10000000", "1000"][len(sys.argv) - 1 :])))
