"""Where everything lies in a sink. Names that begin with `_` are ignored by the lakes' readers."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from harvester.errors import SinkError
from harvester.model import Pull, Run

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


def pull_folder(pull: Pull, run: Run) -> PurePosixPath:
    """`PROVIDER/RESOURCE/tenant=T/dt=2026-11-20/run=ID`: the partition of one pull."""
    for name in (pull.provider, pull.resource, pull.tenant, run.id):
        # No slash and no dot in front: `a..b` is an odd name, and no way out of the folder.
        if not _SAFE.fullmatch(name):
            raise SinkError(f"{name!r} can't be a folder's name")  # checked long before; never trust a path
    return PurePosixPath(
        pull.provider, pull.resource, f"tenant={pull.tenant}", f"dt={run.day}", f"run={run.id}"
    )


def pointer(pull: Pull) -> PurePosixPath:
    """`_current/PROVIDER/RESOURCE/T.json`: the newest published full snapshot."""
    return CURRENT / pull.provider / pull.resource / f"{pull.tenant}.json"


def run_manifest(run: str) -> PurePosixPath:
    return RUNS / f"{run}.json"
