"""How much is left: the arithmetic of daily and monthly quotas.

Requests are set aside in blocks before they are sent, so that the ledger on disk is never behind what was
really used: a crash forgets what of its block was not sent, and so counts too much by a block at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from harvester.model import Limits

BLOCK = 50
MARKS = (50, 80, 95)
"""Percent at which a person is told, once a period."""

Kind = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month of the UTC calendar."""

    kind: Kind
    start: str
    """`2026-11-20`, or `2026-11`"""
    begins: float
    ends: float
    """seconds since the epoch, not included"""


@dataclass(frozen=True, slots=True)
class Account:
    """What one period has used of its quota; what is set aside counts as used."""

    period: Period
    quota: int
    used: int
    marked: int = 0
    """The highest of `MARKS` that was told already."""
    spared: int = 0
    """What whoever asks has to leave to others."""

    @property
    def left(self) -> int:
        return max(0, self.quota - self.spared - self.used)


@dataclass(slots=True)
class Block:
    """Requests that are set aside, and may be sent without asking the disk."""

    periods: tuple[Period, ...]
    left: int

    def take(self, wall: float) -> bool:
        """Use one, if there is one and its periods are the present ones."""
        if self.left <= 0 or not all(period.begins <= wall < period.ends for period in self.periods):
            return False
        self.left -= 1
        return True


def quotas(limits: Limits) -> tuple[tuple[Kind, int], ...]:
    """The quotas that are declared, if any."""
    declared: tuple[tuple[Kind, int | None], ...] = (
        ("day", limits.daily_requests),
        ("month", limits.monthly_requests),
    )
    return tuple((kind, quota) for kind, quota in declared if quota is not None)


def period_at(kind: Kind, wall: float) -> Period:
    """The day or month in which a moment falls."""
    day = datetime.fromtimestamp(wall, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day":
        after = day + timedelta(days=1)
        return Period(kind, f"{day:%Y-%m-%d}", day.timestamp(), after.timestamp())
    first = day.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return Period(kind, f"{first:%Y-%m}", first.timestamp(), after.timestamp())


def block_size(accounts: Sequence[Account]) -> int:
    """How many to set aside now: 50, fewer near the end, and of a small quota at most a hundredth."""
    return min(min(BLOCK, max(1, account.quota // 100), account.left) for account in accounts)


def marks_passed(account: Account) -> tuple[int, ...]:
    """The percentages reached that nobody was told of yet."""
    return tuple(m for m in MARKS if m > account.marked and account.used * 100 >= m * account.quota)
