"""Running the harvester in tests: a configuration for an emulator, one run, and what lies in the lake."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from harvester.config.load import Config, load
from harvester.emulator.server import Emulator
from harvester.events import Observer, silent
from harvester.harvest import Order, World, harvest
from harvester.http.retry import RetryPolicy
from harvester.plan import Selection

_RUNS = count()
"""Two runs of one second must not get the same id."""
QUICK = RetryPolicy(base=0.001, slow_base=0.01, cap=0.02)
"""Retries as always, without the waiting."""


@dataclass(frozen=True)
class Lake:
    """A sink's folder, read as its users would."""

    root: Path

    def folder(self, provider: str, resource: str, tenant: str) -> Path:
        (folder,) = (self.root / provider / resource / f"tenant={tenant}").glob("dt=*/run=*")
        return folder

    def lines(self, provider: str, resource: str, tenant: str) -> list[bytes]:
        found: list[bytes] = []
        for part in sorted(self.folder(provider, resource, tenant).glob("part-*.ndjson.gz")):
            found += gzip.decompress(part.read_bytes()).split(b"\n")[:-1]
        return found

    def manifest(self, provider: str, resource: str, tenant: str) -> dict[str, Any]:
        path = self.folder(provider, resource, tenant) / "_manifest.json"
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        return manifest

    def visible(self) -> list[Path]:
        """Every file that a reader of the lake would see."""
        files = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        return sorted(path for path in files if not any(part.startswith("_") for part in path.parts))


def configure(emulator: Emulator, folder: Path, **options: str) -> Config:
    """The emulator's configuration, written below `folder` and loaded."""
    path = folder / "emulated.toml"
    text = emulator.config_text(sink=str(folder / "lake"), state=str(folder / "state"), **options)
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    return load(path)


async def run(
    config: Config,
    *,
    tenant: str = "",
    resources: Sequence[str] = (),
    seed: int = 1,
    observe: Observer = silent,
    **order: Any,
) -> Mapping[str, Any]:
    """One run of the selected part, with quick retries; the run's manifest."""
    selection = Selection((tenant,) if tenant else (), tuple(resources))
    world = World(rng=random.Random(f"{seed}, run {next(_RUNS)}"), policy=QUICK)
    return await harvest(config, Order(selection, **order), observe=observe, world=world)


def command(
    *words: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`harvester ...` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "harvester", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **environment},
    )
