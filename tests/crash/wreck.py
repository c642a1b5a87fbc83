"""What a death may leave behind, and what the end must look like: a lake as its readers find it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread

from harvester.emulator.server import Emulator

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"
CHANGING = ("run", "started", "finished", "requests", "retries", "high_water_mark", "path")
"""What a manifest says of when, and by how many requests."""


@dataclass(frozen=True)
class Site:
    """A folder with a configuration; a lake and a state folder come with the first run."""

    folder: Path

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def config(self) -> Path:
        return self.folder / "emulated.toml"

    def visible(self) -> list[Path]:
        """Every file outside of `_staging/`."""
        files = (path for path in self.lake.rglob("*") if path.is_file())
        return sorted(path for path in files if path.relative_to(self.lake).parts[0] != "_staging")

    def check_visible(self) -> None:
        """Nothing half-written: who reads the lake now finds whole pulls alone."""
        for path in self.visible():
            if path.suffix == ".json":
                manifest = json.loads(path.read_bytes())
                if path.name == "_manifest.json":
                    _check_parts(path.parent, manifest)
                elif "_current" in path.relative_to(self.lake).parts:
                    assert (self.lake / manifest["path"] / "_manifest.json").exists(), f"{path} leads nowhere"
            else:
                assert (path.parent / "_manifest.json").exists(), f"{path} is visible without a manifest"

    def check_left_over(self) -> None:
        """Of a run that has ended, nothing lies in staging, and no page journal.

        A probe that never ended is empty, belongs to no run, and goes by age.
        """
        left = [path for path in (self.lake / "_staging").rglob("*") if path.is_file()]
        left = [path for path in left if not path.name.startswith("probe") or path.stat().st_size]
        assert not left, f"left in staging: {left}"
        assert not list((self.folder / "state/runs").rglob("*.pages")), "a page journal is left"

    def ended(self) -> bool:
        """Whether the run has said that it has nothing left to do: `--resume` would begin another."""
        journals = (self.folder / "state/runs").glob("*.journal")
        return any(b'{"entry":"end"}' in path.read_bytes() for path in journals)

    def contents(self) -> dict[str, Any]:
        """Everything visible, less times, runs and requests: equal for any two runs over the same roster."""
        found: dict[str, Any] = {}
        for path in self.visible():
            place = path.relative_to(self.lake)
            if place.parts[0] == "_runs":
                continue
            name = "/".join(part for part in place.parts if not part.startswith(("dt=", "run=")))
            assert name not in found, f"{name} was published twice"
            if path.suffix == ".json":
                manifest = json.loads(path.read_bytes())
                found[name] = {key: value for key, value in manifest.items() if key not in CHANGING}
            else:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def _check_parts(folder: Path, manifest: dict[str, Any]) -> None:
    names = {path.name for path in folder.iterdir() if path.name.startswith("part-")}
    assert names == {part["name"] for part in manifest["parts"]}, folder
    for part in manifest["parts"]:
        data = (folder / part["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (part["bytes"], part["sha256"]), folder


@contextmanager
def serving(rows: int, faults: str = "") -> Iterator[Emulator]:
    """An emulator that outlives its clients, on a thread of its own: one tenant, always the same roster."""
    emulator = Emulator(tenants=1, rows=rows, providers=(PROVIDER,), faults=faults)
    with anyio.from_thread.start_blocking_portal() as portal, portal.wrap_async_context_manager(emulator):
        yield emulator


def site(emulator: Emulator, folder: Path, compression: str = "gzip") -> Site:
    """A place for one run. Its application has a quota, so that the ledger is part of the game."""
    folder.mkdir()
    text = emulator.config_text(sink="./lake", state="./state")
    text = text.replace("[sink]", f'[sink]\ncompression = "{compression}"', 1)
    named = f'provider = "{PROVIDER}"'
    assert named in text
    text = text.replace(named, f"{named}\nlimits.daily_requests = 1000000", 1)
    path = folder / "emulated.toml"
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    return Site(folder)
