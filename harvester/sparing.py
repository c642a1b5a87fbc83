"""What a backfill leaves of the quotas to the runs beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from harvester.pacing.quota import Kind, period_at
from harvester.sinks.sink import Sink

DAYS = 8
"""Days, up to the newest run's, that count: a full pull each week is among them."""
FRESH = 600.0
"""Seconds for which the runs' manifests are not read again."""
DAY = 86_400.0


class Sparing:
    """As much a day as the runs used on their dearest day of late, less what today's have used already.

    Of the month, what they use on an average day, for each day that is left.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._used: Mapping[str, Mapping[str, int]] = {}
        self._read_at = -math.inf

    def __call__(self, application: str, wall: float) -> Mapping[Kind, int]:
        if not self._read_at <= wall < self._read_at + FRESH:
            self._used, self._read_at = used_by_runs(self._sink), wall
        used = self._used.get(application)
        if not used:
            return {}
        today, month = period_at("day", wall), period_at("month", wall)
        left = max(0, max(used.values()) - used.get(today.start, 0))
        average = math.ceil(sum(used.values()) / len(used))
        return {"day": left, "month": left + average * round((month.ends - today.ends) / DAY)}


def used_by_runs(sink: Sink) -> dict[str, dict[str, int]]:
    """Application -> day -> requests sent by the runs that started on it, but for windows of backfills."""
    days: dict[str, dict[str, int]] = {}
    for manifest in sink.runs():
        if any(result["mode"] == "backfill" for result in manifest["results"]):
            continue
        for name, counted in manifest["applications"].items():
            of_day = days.setdefault(manifest["started"][:10], {})
            of_day[name] = of_day.get(name, 0) + int(counted["sent"])
    if not days:
        return {}
    newest = datetime.fromisoformat(max(days)).replace(tzinfo=UTC).timestamp()
    used: dict[str, dict[str, int]] = {}
    for day, counts in days.items():
        if datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() > newest - DAYS * DAY:
            for name, sent in counts.items():
                used.setdefault(name, {})[day] = sent
    return used
