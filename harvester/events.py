"""What there is to know about a run while it goes on. Log, progress and report are listeners to one stream.

Events are said a page at a time, never a record at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harvester.model import Pull


@dataclass(frozen=True, slots=True)
class PullStarted:
    pull: Pull
    expected_records: int | None
    """from the last manifest"""


@dataclass(frozen=True, slots=True)
class PageFetched:
    pull: Pull
    offset: int
    records: int
    bytes: int
    took: float
    """seconds on the wire"""


@dataclass(frozen=True, slots=True)
class Retried:
    pull: Pull
    reason: str
    status: int
    after: float
    """seconds until the next try"""


@dataclass(frozen=True, slots=True)
class PullFinished:
    pull: Pull
    state: str
    """committed | held | failed | interrupted"""
    records: int
    verdict: str | None
    why: str


@dataclass(frozen=True, slots=True)
class QuotaAlert:
    application: str
    period: str
    """day | month"""
    used: int
    quota: int
    percent: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that is no failure: a literal secret, an odd server."""

    what: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class WindowEnded:
    """A window of a backfill."""

    number: int
    windows: int
    since: str
    until: str
    records: int
    requests: int
    done: bool
    """whether nothing of it is left to be tried again"""


Event = PullStarted | PageFetched | Retried | PullFinished | QuotaAlert | Notice | WindowEnded
Observer = Callable[[Event], None]


def silent(_event: Event) -> None:
    """The observer that nobody listens through."""
