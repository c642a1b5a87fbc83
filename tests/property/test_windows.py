"""Windows of a backfill: together they are the time asked for, and no moment is in two of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvester.backfill_plan import MOST_WINDOWS, cut
from harvester.config.units import parse_moment
from harvester.errors import UsageError

DAY = 86_400.0
moments = st.integers(0, 4 * 10**12).map(  # until the year 2096
    lambda ms: parse_moment(str(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)))
)


@given(moments, moments, st.floats(DAY / 24, 4000 * DAY))
@example("2024-02-01T00:00:00.000Z", "2024-04-01T00:00:00.000Z", 28 * DAY)  # a leap day
@example("2026-03-28T00:00:00.000Z", "2026-03-30T00:00:00.000Z", DAY)  # clocks go forward in Norway
@example("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.001Z", DAY)
def test_they_cover_the_time_exactly(since: str, until: str, width: float) -> None:
    try:
        spans = cut(since, until, width)
    except UsageError:
        span = (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
        assert span <= 0 or span / width > MOST_WINDOWS - 1
        return
    assert (spans[0].since, spans[-1].until) == (since, until)
    assert all(one.until == other.since for one, other in pairwise(spans)), "a hole or an overlap"
    wide = [datetime.fromisoformat(s.until) - datetime.fromisoformat(s.since) for s in spans]
    assert all(timedelta() < w <= timedelta(milliseconds=round(width * 1000)) for w in wide)
    assert len(set(wide[:-1])) <= 1, "all but the last are alike"


@given(moments, st.integers(1, 40), st.integers(0, 10**9))
def test_each_moment_is_in_one_window(since: str, count: int, place: int) -> None:
    begin = datetime.fromisoformat(since)
    until = (begin + timedelta(days=count)).astimezone(UTC)
    moment = parse_moment(str(begin + timedelta(milliseconds=place % (count * 86_400_000))))
    spans = cut(since, parse_moment(str(until)), 1.5 * DAY)
    assert sum(span.since <= moment < span.until for span in spans) == 1


@pytest.mark.parametrize(
    ("since", "until", "width", "said"),
    [
        ("2026-01-02T00:00:00.000Z", "2026-01-01T00:00:00.000Z", DAY, "no time"),
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", DAY, "no time"),
        ("1990-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 60.0, "wider"),
        ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 0.0001, "wider"),
    ],
)
def test_what_can_not_be_cut_is_explained(since: str, until: str, width: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        cut(since, until, width)
