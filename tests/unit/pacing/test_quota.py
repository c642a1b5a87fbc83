"""Periods, blocks and marks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harvester.model import Limits
from harvester.pacing.quota import Account, Block, Kind, block_size, marks_passed, period_at, quotas

DAY = period_at("day", 1_795_132_800.0)


def moment(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("kind", "at", "start", "begins", "ends"),
    [
        ("day", (2026, 11, 20, 23, 59, 59), "2026-11-20", (2026, 11, 20), (2026, 11, 21)),
        ("day", (2026, 12, 31), "2026-12-31", (2026, 12, 31), (2027, 1, 1)),
        ("day", (2028, 2, 29, 12), "2028-02-29", (2028, 2, 29), (2028, 3, 1)),
        ("month", (2026, 11, 30, 23), "2026-11", (2026, 11, 1), (2026, 12, 1)),
        ("month", (2026, 12, 31, 23), "2026-12", (2026, 12, 1), (2027, 1, 1)),
        ("month", (2027, 1, 31), "2027-01", (2027, 1, 1), (2027, 2, 1)),
    ],
)
def test_periods_are_those_of_the_utc_calendar(
    kind: Kind, at: tuple[int, ...], start: str, begins: tuple[int, ...], ends: tuple[int, ...]
) -> None:
    period = period_at(kind, moment(*at))
    assert (period.start, period.begins, period.ends) == (start, moment(*begins), moment(*ends))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(), ()),
        (Limits(daily_requests=5), (("day", 5),)),
        (Limits(monthly_requests=7), (("month", 7),)),
        (Limits(daily_requests=5, monthly_requests=7), (("day", 5), ("month", 7))),
    ],
)
def test_only_declared_quotas_count(limits: Limits, expected: tuple[object, ...]) -> None:
    assert quotas(limits) == expected


@pytest.mark.parametrize(
    ("accounts", "size"),
    [
        ([(200_000, 0)], 50),
        ([(200_000, 199_990)], 10),
        ([(200_000, 200_000)], 0),
        ([(200_000, 200_007)], 0),
        ([(1000, 0)], 10),
        ([(20, 0)], 1),
        ([(200_000, 0), (5_000_000, 4_999_997)], 3),
    ],
)
def test_a_block_is_fifty_or_what_is_left_or_a_hundredth(accounts: list[tuple[int, int]], size: int) -> None:
    assert block_size([Account(DAY, quota, used) for quota, used in accounts]) == size


@pytest.mark.parametrize(
    ("used", "marked", "marks"),
    [(49, 0, ()), (50, 0, (50,)), (79, 50, ()), (80, 50, (80,)), (96, 0, (50, 80, 95)), (100, 95, ())],
)
def test_each_mark_is_passed_once(used: int, marked: int, marks: tuple[int, ...]) -> None:
    assert marks_passed(Account(DAY, 100, used, marked)) == marks


def test_a_block_is_used_up_one_by_one_within_its_period() -> None:
    block = Block((DAY,), 2)
    assert not block.take(DAY.begins - 1)
    assert not block.take(DAY.ends)
    assert block.take(DAY.begins)
    assert block.take(DAY.ends - 1)
    assert not block.take(DAY.begins)
