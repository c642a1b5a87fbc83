"""How long until work begins: `--help`, the imports of a run, a whole run of one small tenant.

python bench/startup.py: medians of nine, each a process of its own; beside them what Python and aiohttp alone
take, which no run can do without. The emulator answers from a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from lean_origin import serving
from ten_million import CONFIG

TIMES = 9


def seconds(words: list[str]) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return median(taken)


def main() -> None:
    python = sys.executable
    with tempfile.TemporaryDirectory(prefix="startup-") as folder, serving(47) as port:
        config = Path(folder) / "small.toml"
        config.touch(0o600)
        config.write_text(CONFIG.format(folder=folder, port=port, page=100))
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "import aiohttp": [python, "-c", "import aiohttp"],
            "harvester --help": [python, "-m", "harvester", "--help"],
            "harvester's imports": [python, "-c", "import harvester.cli.running"],
            "harvester run, one page": [python, "-m", "harvester", "run", str(config), "--progress", "none"],
        }
        for name, words in commands.items():
            print(f"{name:24} {seconds(words):.3f} s")


if __name__ == "__main__":
    main()
