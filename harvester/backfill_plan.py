"""What a backfill set out to do, cut into windows of time, and what became of each: in one crash-safe file.

One checked line an entry, appended and fsynced, as in a run's journal. Each window is a run of its own, with
a journal of its own; this file only knows which of them are done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from harvester.checked_file import CheckedFile
from harvester.checked_lines import bodies_of
from harvester.errors import SinkError, UsageError
from harvester.model import Pull

SCHEMA_VERSION = 1
MOST_WINDOWS = 9_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(milliseconds=1)
"""Moments are told to the millisecond."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window of time: `since <= dateLastModified < until`."""

    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a command line asks of a backfill. The same terms are the same backfill."""

    since: str
    until: str
    """ISO 8601 in UTC, to the millisecond"""
    width: float
    """of a window, in seconds"""
    tenants: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()

    def words(self) -> str:
        """The options that mean these terms."""
        chosen = [f"--tenant '{tenant}'" for tenant in self.tenants]
        chosen += [f"--resource {resource}" for resource in self.resources]
        return " ".join([f"--from {self.since} --to {self.until} --window {self.width:g}s", *chosen])


def cut(since: str, until: str, width: float) -> list[Span]:
    """The windows from `since` to `until`, oldest first: no hole, no overlap, the last perhaps shorter.

    Oldest first, as a record that is modified meanwhile moves to a later window: one that is still to come
    finds it. Raises `UsageError` for terms that mean no window, or too many.
    """
    first, end = _instants(since), _instants(until)
    step = round(width * 1000)
    if first >= end:
        raise UsageError(f"there is no time from {since} to {until}", advice="--to is later than --from.")
    if step < 1 or -((first - end) // step) > MOST_WINDOWS:
        raise UsageError(
            f"windows of {width:g} s cut the time from {since} to {until} into more than {MOST_WINDOWS:,}",
            advice="Take wider ones, as in --window 90d.",
        )
    edges = [*range(first, end, step), end]
    return [Span(_text(a), _text(b)) for a, b in pairwise(edges)]


def _instants(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // _INSTANT


def _text(instants: int) -> str:
    return (_EPOCH + instants * _INSTANT).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one window, as of the last time that it was tried."""

    done: bool
    """Nothing is left to be tried again."""
    exit_code: int
    committed: int
    held: int
    failed: int
    records: int
    requests: int


@dataclass(slots=True)
class Course:
    """A backfill, as its file tells it."""

    id: str
    terms: Terms
    pulls: Sequence[Pull]
    """without dates; fixed at the beginning, so that no window lacks a tenant that came later"""
    begun: dict[int, float] = field(default_factory=dict)
    """Window -> when its run started first; windows are numbered from 1."""
    ended: dict[int, Ended] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Keys of pulls whose server turned out not to filter by date."""

    @property
    def windows(self) -> list[Span]:
        return cut(self.terms.since, self.terms.until, self.terms.width)

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return all(
            number in self.ended and self.ended[number].done for number in range(1, len(self.windows) + 1)
        )

    def run_id(self, number: int) -> str:
        return f"{self.id}-w{number:03d}"


class CourseFile:
    """Writes down how a backfill goes. Raises `SinkError` when the state folder's disk fails."""

    def __init__(self, folder: Path, course: Course) -> None:
        self._file = CheckedFile(path_of(folder, course.id))
        self._course = course

    def begin(self) -> None:
        """Write down the plan, before the first request."""
        course = self._course
        self._file.append(
            {
                "entry": "begin",
                "schema_version": SCHEMA_VERSION,
                "backfill": course.id,
                "terms": asdict(course.terms),
                "pulls": [asdict(pull) for pull in course.pulls],
            }
        )

    def began(self, number: int, started: float) -> None:
        self._course.begun[number] = started
        self._file.append({"entry": "began", "window": number, "started": started})

    def ended(self, number: int, ended: Ended) -> None:
        self._course.ended[number] = ended
        self._file.append({"entry": "ended", "window": number, **asdict(ended)})

    def refused(self, key: str) -> None:
        self._course.refused.add(key)
        self._file.append({"entry": "refused", "pull": key})

    def close(self) -> None:
        self._file.close()


def path_of(folder: Path, backfill: str) -> Path:
    return folder / f"{backfill}.plan"


def courses(folder: Path) -> Iterator[Course]:
    """All backfills that the folder knows of, newest first. `UsageError`: one of them can't be read."""
    for path in sorted(folder.glob("*.plan"), reverse=True) if folder.is_dir() else ():
        course = _read(path)
        if course is not None:
            yield course


def _read(path: Path) -> Course | None:
    """None: it died before its plan was written, so before its first request."""
    try:
        bodies = list(bodies_of(path.read_bytes()))
    except OSError as error:
        raise SinkError(f"can't read {path}: {error.strerror}") from None
    head, *rest = bodies or [None]
    if head is None:
        if not rest:
            return None
        raise UsageError(f"{path} is damaged: its first line is not whole", advice=GIVE_UP)
    begin = orjson.loads(head)
    if begin.get("schema_version") != SCHEMA_VERSION:
        raise UsageError(
            f"{path} is of schema version {begin.get('schema_version')}, this program knows {SCHEMA_VERSION}",
            advice=f"End that backfill with the version that began it. {GIVE_UP}",
        )
    asked = begin["terms"]
    terms = Terms(**{**asked, "tenants": tuple(asked["tenants"]), "resources": tuple(asked["resources"])})
    course = Course(begin["backfill"], terms, [Pull(**pull) for pull in begin["pulls"]])
    for body in rest:
        if body is not None:  # a torn line's window is just tried again: the sink knows what is committed
            _note(course, orjson.loads(body))
    return course


GIVE_UP = "Remove the file to give that backfill up; what it has committed stays in the sink."


def _note(course: Course, entry: Mapping[str, Any]) -> None:
    match entry["entry"]:
        case "began":
            course.begun[entry["window"]] = entry["started"]
        case "ended":
            values = {key: value for key, value in entry.items() if key not in ("entry", "window")}
            course.ended[entry["window"]] = Ended(**values)
        case "refused":
            course.refused.add(entry["pull"])
