"""What runs leave behind in the state folder and in staging: where it lies, and when it goes.

A run that did not finish leaves its journal, its pulls' page journals and their staged parts for `--resume`.
All of it goes with the run's end, or by age: a run that nobody resumed for a week is dead.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harvester.errors import SinkError
from harvester.events import Notice, Observer
from harvester.model import Run
from harvester.sinks.sink import Sink

DAY = 86_400.0
KEEP_STAGED = 7 * DAY
"""Seconds after which what a dead run has staged is removed."""
KEEP_JOURNALS = 60 * DAY
"""Seconds after which a run's own journal is removed; its manifest stays in the sink."""


def runs_folder(state: Path) -> Path:
    """Where runs journal what they set out to do and what became of it."""
    return state / "runs"


def pages_folder(state: Path, run: Run) -> Path:
    """Where a run's pulls journal their pages."""
    return runs_folder(state) / run.id


async def sweep(state: Path, sink: Sink, run: Run, now: float, observe: Observer) -> None:
    """Remove what runs have left behind that nobody will resume. `now`: seconds since the epoch."""
    dead = await sink.sweep(run.id, now - KEEP_STAGED)
    if dead:
        observe(Notice(f"removed what {len(dead)} runs had staged a week ago and nobody resumed", dead[0]))
    folder = runs_folder(state)
    if not folder.is_dir():
        return
    try:
        for path in folder.iterdir():
            age = now - path.stat().st_mtime
            if path.is_dir() and path.name != run.id and age > KEEP_STAGED:
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == ".journal" and path.stem != run.id and age > KEEP_JOURNALS:
                path.unlink()
    except OSError as error:
        raise SinkError(f"can't tidy up: {error.strerror}", where="state folder") from None


async def clear(state: Path, sink: Sink, run: Run) -> None:
    """Nothing is left to resume of a run: remove what it has staged, and its page journals."""
    await sink.clear(run)
    shutil.rmtree(pages_folder(state, run), ignore_errors=True)
