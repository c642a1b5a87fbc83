"""The crash-safe record of a run: what it set out to do, and what became of each pull.

One checked line an entry, appended and fsynced. A torn last line is ignored: what it would have said is found
in the sink, whose manifests are the truth about commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from harvester.checked_file import CheckedFile
from harvester.checked_lines import bodies_of
from harvester.errors import SinkError, UsageError
from harvester.model import Pull, Run

SCHEMA_VERSION = 1
SETTLED = ("committed", "held")
"""States after which a pull has nothing left to be resumed."""


@dataclass(slots=True)
class Recovered:
    """A run as its journal tells it."""

    run: Run
    name: str
    pulls: list[Pull]
    states: dict[str, str] = field(default_factory=dict)
    """Pull key -> the last state written down."""

    @property
    def settled(self) -> int:
        """Pulls that are committed or held."""
        return sum(self.states.get(pull.key) in SETTLED for pull in self.pulls)

    @property
    def unfinished(self) -> bool:
        """Whether `--resume` would have something to do."""
        return self.settled < len(self.pulls)


class Journal:
    """Appends to one run's journal. Raises `SinkError` when the state folder's disk fails."""

    def __init__(self, folder: Path, run: str) -> None:
        self._file = CheckedFile(_path(folder, run))

    def begin(self, run: Run, name: str, pulls: Sequence[Pull]) -> None:
        """Write down the plan, before the first request."""
        plan = [asdict(pull) for pull in pulls]
        self._file.append(
            {
                "entry": "begin",
                "schema_version": SCHEMA_VERSION,
                "run": asdict(run),
                "name": name,
                "pulls": plan,
            }
        )

    def settle(self, pull: Pull, state: str) -> None:
        """Write down what became of a pull."""
        self._file.append({"entry": "pull", "pull": pull.key, "state": state})

    def close(self) -> None:
        self._file.close()


def recover(folder: Path, run: str) -> Recovered:
    """Read a run's journal. Raises `UsageError` if there is none, or none that can be read."""
    try:
        raw = _path(folder, run).read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"there is no run {run} in {folder}", advice="`harvester runs CONFIG` lists them."
        ) from None
    except OSError as error:
        raise SinkError(f"can't read the journal of {run}: {error.strerror}") from None
    recovered: Recovered | None = None
    for entry in _entries(raw):
        if entry["entry"] == "begin" and recovered is None:
            if entry["schema_version"] != SCHEMA_VERSION:
                raise UsageError(
                    f"the journal of {run} is of schema version {entry['schema_version']}, "
                    f"and this program knows {SCHEMA_VERSION}",
                    advice="Resume it with the version of harvester that began it, or start a fresh run.",
                )
            pulls = [Pull(**pull) for pull in entry["pulls"]]
            recovered = Recovered(Run(**entry["run"]), entry["name"], pulls)
        elif entry["entry"] == "pull" and recovered is not None:
            recovered.states[entry["pull"]] = entry["state"]
    if recovered is None:
        raise UsageError(
            f"the journal of {run} does not tell what the run set out to do",
            advice="It died before its first request: start a fresh run.",
        )
    return recovered


def unfinished(folder: Path) -> Iterator[Recovered]:
    """The runs that `--resume` can go on with, newest first."""
    for path in sorted(folder.glob("*.journal"), reverse=True) if folder.is_dir() else ():
        try:
            recovered = recover(folder, path.stem)
        except UsageError:
            continue
        if recovered.unfinished:
            yield recovered


def _path(folder: Path, run: str) -> Path:
    return folder / f"{run}.journal"


def _entries(raw: bytes) -> Iterator[dict[str, Any]]:
    for body in bodies_of(raw):
        if body is not None:
            yield orjson.loads(body)
