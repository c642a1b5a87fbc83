"""Where everything lies in a sink. Names that begin with `_` are ignored by the lakes' readers."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from harvester.errors import SinkError
from harvester.model import Pull

STAGING = PurePosixPath("_staging")
HELD = PurePosixPath("_held")
RUNS = PurePosixPath("_runs")
CURRENT = PurePosixPath("_current")
MANIFEST = "_manifest.json"

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def part_name(number: int, suffix: str) -> str:
    return f"part-{number:05d}{suffix}"


def quarantine_name(suffix: str) -> str:
    return f"_quarantine-00000{suffix}"


def pull_folder(pull: Pull, run: str, dt: str) -> PurePosixPath:
    """`PROVIDER/RESOURCE/tenant=T/dt=2026-11-20/run=ID`: the partition of one pull."""
    for name in (pull.provider, pull.resource, pull.tenant, run, dt):
        if not _SAFE.fullmatch(name) or ".." in name:
            raise SinkError(f"{name!r} can't be a folder's name")  # checked long before; never trust a path
    return PurePosixPath(pull.provider, pull.resource, f"tenant={pull.tenant}", f"dt={dt}", f"run={run}")


def pointer(pull: Pull) -> PurePosixPath:
    """`_current/PROVIDER/RESOURCE/T.json`: the newest published full snapshot."""
    return CURRENT / pull.provider / pull.resource / f"{pull.tenant}.json"


def run_manifest(run: str) -> PurePosixPath:
    return RUNS / f"{run}.json"


def day_of(run: str) -> str:
    """The partition `dt` of a run: its start's date, `20261120T...` -> `2026-11-20`."""
    return f"{run[:4]}-{run[4:6]}-{run[6:8]}"
