"""Progress: a live table on a terminal, a line each 30 seconds elsewhere, JSON for programs, or nothing.

Events are only counted; painting happens a few times a second, whatever the number of pages.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TextIO

import orjson

from harvester.events import Event, Observer, PageFetched, PullFinished, Retried, silent

if TYPE_CHECKING:
    from rich.table import Table

Mode = Literal["auto", "plain", "json", "none"]
INTERVAL = 30.0
"""Seconds between two lines where there is no terminal."""


@dataclass(slots=True)
class Count:
    """How far one application is."""

    pulls: int
    done: int = 0
    failed: int = 0
    """or held, or interrupted"""
    pages: int = 0
    records: int = 0
    throttled: int = 0


@dataclass(slots=True)
class Tallies:
    """All applications' counts, and the time since the first."""

    counts: dict[str, Count]
    clock: Callable[[], float]
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def __call__(self, event: Event) -> None:
        match event:
            case PageFetched():
                count = self._of(event.pull.application)
                count.pages += 1
                count.records += event.records
            case Retried(status=429):
                self._of(event.pull.application).throttled += 1
            case PullFinished():
                count = self._of(event.pull.application)
                count.done += 1
                count.failed += event.state != "committed"
            case _:
                pass

    def _of(self, application: str) -> Count:
        return self.counts.setdefault(application, Count(0))

    @property
    def seconds(self) -> float:
        return max(self.clock() - self.began, 1e-9)

    @property
    def total(self) -> Count:
        counts = self.counts.values()
        return Count(
            *(
                sum(getattr(count, name) for count in counts)
                for name in ("pulls", "done", "failed", "pages", "records", "throttled")
            )
        )

    def remaining(self, count: Count) -> str:
        """The time left, if pulls go on as they went; they are sorted longest first, so it errs upwards."""
        if not count.done or count.done >= count.pulls:
            return "-" if not count.done else "0:00"
        left = int(self.seconds / count.done * (count.pulls - count.done))
        return f"{left // 60}:{left % 60:02d}"


def _of(count: Count) -> str:
    """Pulls done, of how many where that is known."""
    return f"{count.done}/{count.pulls}" if count.pulls else str(count.done)


@contextmanager
def open_progress(
    mode: Mode,
    *,
    stream: TextIO,
    totals: Mapping[str, int],
    clock: Callable[[], float] = time.monotonic,
    interval: float = INTERVAL,
) -> Iterator[Observer]:
    """An observer that shows how far a run is on `stream`. `totals`: pulls an application."""
    if mode == "none":
        yield silent
        return
    tallies = Tallies({name: Count(pulls) for name, pulls in totals.items()}, clock)
    if mode == "auto" and stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        with _live(tallies, stream):
            yield tallies
        return
    line = _json_line if mode == "json" else _plain_line
    stop = threading.Event()

    def report() -> None:
        while not stop.wait(interval):
            print(line(tallies, "status"), file=stream, flush=True)

    reporter = threading.Thread(target=report, name="progress", daemon=True)
    reporter.start()
    try:
        yield tallies
    finally:
        stop.set()
        reporter.join()
        print(line(tallies, "summary"), file=stream, flush=True)


def _plain_line(tallies: Tallies, _kind: str) -> str:
    total = tallies.total
    return (
        f"{_of(total)} pulls, {total.failed} not committed, {total.pages:,} pages, "
        f"{total.records:,} rows ({total.records / tallies.seconds:,.0f}/s), {total.throttled} x 429, "
        f"{tallies.seconds:.0f} s, left {tallies.remaining(total)}"
    )


def _json_line(tallies: Tallies, kind: str) -> str:
    total = tallies.total
    line = {
        "message_type": kind,
        "seconds": round(tallies.seconds, 1),
        "pulls": total.pulls,
        "done": total.done,
        "not_committed": total.failed,
        "pages": total.pages,
        "rows": total.records,
        "throttled": total.throttled,
    }
    return orjson.dumps(line).decode()


@contextmanager
def _live(tallies: Tallies, stream: TextIO) -> Iterator[None]:
    """A table that rich repaints from its own thread; the cursor comes back whatever happens."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.live import Live  # noqa: PLC0415

    console = Console(file=stream)
    with Live(get_renderable=lambda: _table(tallies), console=console, refresh_per_second=4, transient=True):
        yield


def _table(tallies: Tallies) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for heading in ("application", "pulls", "not committed", "pages/s", "rows", "rows/s", "429", "left"):
        table.add_column(heading, justify="left" if heading == "application" else "right")
    rows = [*sorted(tallies.counts.items())]
    if len(rows) > 1:
        rows.append(("all", tallies.total))
    for name, count in rows:
        table.add_row(
            name,
            f"{count.done}/{count.pulls}",
            str(count.failed),
            f"{count.pages / tallies.seconds:.1f}",
            f"{count.records:,}",
            f"{count.records / tallies.seconds:,.0f}",
            str(count.throttled),
            tallies.remaining(count),
        )
    return table
