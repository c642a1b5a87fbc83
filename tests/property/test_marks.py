"""Base and increments, merged, are the server's state: whatever was held, lost, unproved or landed late.

A small table on a server whose rows become visible up to nearly ten minutes after their stamp, as rows of
long transactions do; pulls read it, and their commits pass through the choice of marks and the pointer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.commit import CLOCK_MARGIN, timestamp
from harvester.events import silent
from harvester.marks import Marks
from harvester.model import Application, Pull, Run
from harvester.providers.registry import PROVIDERS
from harvester.sinks.pointing import pointed
from harvester.sinks.sink import Sink

PULL = Pull("oneroster-v1p2", "app", "oslo", "users")
APPLICATION = Application("app", "oneroster-v1p2")
DAY = 86_400
MARGIN = round(CLOCK_MARGIN.total_seconds())
START = 1_795_132_800

Fate = Literal["committed", "unproved", "held", "late"]
Rows = dict[str, tuple[int, bool]]
"""id -> version, and whether it is a tombstone"""


@dataclass(frozen=True)
class Write:
    row: str
    tombstone: bool
    delay: int
    """seconds from its stamp until it can be seen"""


@dataclass(frozen=True)
class Night:
    after: int
    fate: Fate
    full: bool
    back: int | None = None
    """`--since`: seconds before this night"""


@dataclass
class Server:
    writes: list[tuple[int, int, str, bool]] = field(default_factory=list)
    """stamp, visible from, id, tombstone: the version is the place in the list"""

    def visible(self, now: int, since: str | None = None) -> Rows:
        rows: dict[str, tuple[int, bool, int]] = {}
        for version, (stamp, seen, row, tombstone) in enumerate(self.writes):
            if seen <= now:
                rows[row] = (version, tombstone, stamp)
        return {
            row: (version, tombstone)
            for row, (version, tombstone, stamp) in rows.items()
            if since is None or timestamp(stamp) >= since
        }


@dataclass
class Lake:
    """As much of a sink as the choice of marks reads."""

    now: Mapping[str, Any] | None = None
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)

    def pointer(self, _pull: Pull) -> Mapping[str, Any] | None:
        return self.now

    def manifest(self, place: str) -> Mapping[str, Any]:
        return self.manifests[place]

    def commit(self, run: Run, manifest: dict[str, Any], rows: Rows) -> None:
        self.manifests[run.id], self.rows[run.id] = manifest, rows
        self.now = pointed(self.now, run.id, run, manifest) or self.now
        again = pointed(self.now, run.id, run, manifest)
        assert again in (None, self.now), "committing the same pull again changes nothing"

    def merged(self) -> dict[str, int]:
        assert self.now is not None
        rows: Rows = {}
        for place in [self.now["path"], *(one["path"] for one in self.now["increments"])]:
            rows |= self.rows[place]
        return {row: version for row, (version, tombstone) in rows.items() if not tombstone}


writes = st.builds(
    Write,
    st.sampled_from("abcdef"),
    st.booleans(),
    st.integers(0, MARGIN - 1) | st.sampled_from([0, MARGIN - 1]),
)
nights = st.builds(
    Night,
    st.integers(1, DAY),
    st.sampled_from(["committed", "committed", "unproved", "held", "late"]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([None, None, None, 1, DAY, 3 * DAY]),
)


@settings(max_examples=400)
@given(st.lists(writes | nights, max_size=40))
def test_no_change_is_ever_skipped(history: list[Write | Night]) -> None:
    server, lake = Server(), Lake()
    late: list[tuple[Run, dict[str, Any], Rows]] = []
    now, busy_until, reached = START, 0, 0
    read_at: dict[str, int] = {}
    for number, event in enumerate([*history, Night(1, "committed", full=False)]):
        if isinstance(event, Write):
            now += 1
            # One row's writes come one after another, as transactions on it do.
            busy_until = max(busy_until, now + event.delay)
            server.writes.append((now, busy_until, event.row, event.tombstone))
            continue
        now = max(now + event.after, busy_until if event.full else 0)
        run = Run(f"night-{number}", float(now))
        pull = PULL
        if not event.full:
            marks = Marks(cast("Sink", lake), PROVIDERS, {"app": APPLICATION}, float(now), 30.0 * DAY)
            since = None if event.back is None else timestamp(now - event.back)
            (pull,) = marks.incremental([PULL], silent, since)
        rows = server.visible(now, pull.since)
        read_at[run.id] = now
        proved = event.fate != "unproved"
        manifest = {
            "mode": pull.mode,
            "since": pull.since,
            "records": len(rows),
            "tombstones": sum(tombstone for _, tombstone in rows.values()),
            "finished": timestamp(now),
            "high_water_mark": timestamp(now - MARGIN),
            "certificate": {"verdict": "certified" if proved else "probable"},
        }
        if not proved:
            rows = dict(list(rows.items())[1:])  # one is missing
        match event.fate:
            case "held":
                continue
            case "late":
                late.append((run, manifest, rows))
                continue
        # Runs that were cut short are resumed, and commit what they read.
        for landing in [(run, manifest, rows), *late]:
            lake.commit(*landing)
            assert lake.now is not None
            last = (lake.now["increments"] or [lake.now])[-1]["path"]
            assert read_at[last] >= reached, "what was published late hides what is newer"
            reached = read_at[last]
            if lake.manifests[last]["certificate"]["verdict"] == "certified":
                expected = server.visible(reached)
                assert lake.merged() == {
                    row: version for row, (version, gone) in expected.items() if not gone
                }
        late.clear()
