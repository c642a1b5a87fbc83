"""What is on disk is never less than what was sent."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harvester.errors import QuotaError, SinkError
from harvester.events import Event, QuotaAlert, silent
from harvester.ledger import FILE, Ledger, Purse
from harvester.model import Limits
from tests import virtual

pytestmark = pytest.mark.anyio

WALL = virtual.EPOCH
TOMORROW = WALL + 86400
LIMITS = Limits(daily_requests=10_000, monthly_requests=100_000)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual.BACKEND


def used(ledger: Ledger, limits: Limits = LIMITS, wall: float = WALL) -> list[int]:
    return [account.used for account in ledger.accounts("flyt", limits, wall)]


def test_a_block_is_on_disk_before_it_is_used(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.reserve("flyt", LIMITS, WALL).block.left == 50
    assert used(Ledger(tmp_path)) == [50, 50]


def test_what_was_not_sent_is_given_back_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    block = ledger.reserve("flyt", LIMITS, WALL).block
    for _ in range(30):
        assert block.take(WALL)
    ledger.give_back("flyt", block)
    ledger.give_back("flyt", block)
    assert used(ledger) == [30, 30]
    assert not block.take(WALL)


def test_applications_and_periods_are_counted_apart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.reserve("flyt", LIMITS, WALL)
    ledger.reserve("skole", LIMITS, WALL)
    ledger.reserve("flyt", LIMITS, TOMORROW)
    assert used(ledger) == [50, 100]
    assert used(ledger, wall=TOMORROW) == [50, 100]
    assert used(ledger, wall=datetime(2026, 12, 1, tzinfo=UTC).timestamp()) == [0, 0]


def test_only_declared_quotas_are_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.reserve("flyt", Limits(monthly_requests=500), WALL)
    assert used(ledger, Limits(monthly_requests=500)) == [5]
    assert used(ledger) == [0, 5]


def test_the_last_block_is_what_is_left_and_then_there_is_none(tmp_path: Path) -> None:
    ledger, limits, sizes = Ledger(tmp_path), Limits(daily_requests=5020), []
    while not sizes or sizes[-1]:
        sizes.append(ledger.reserve("flyt", limits, WALL).block.left)
    assert sizes == [50] * 100 + [20, 0]
    assert used(ledger, limits) == [5020]


def test_two_processes_share_one_quota(tmp_path: Path) -> None:
    one, two, limits = Ledger(tmp_path), Ledger(tmp_path), Limits(daily_requests=5000)
    granted = sum(ledger.reserve("flyt", limits, WALL).block.left for _ in range(60) for ledger in (one, two))
    assert granted == 5000


@pytest.mark.parametrize("each_its_own", [False, True])
def test_threads_and_processes_that_reserve_at_once_get_no_more_than_the_quota(
    tmp_path: Path, each_its_own: bool
) -> None:
    limits, start = Limits(daily_requests=5000), threading.Barrier(4)
    shared = Ledger(tmp_path)
    assert used(shared) == [0, 0]  # it is open now, so that its one connection is shared too
    granted: list[int] = []

    def reserve(ledger: Ledger) -> None:
        start.wait()
        granted.extend(ledger.reserve("flyt", limits, WALL).block.left for _ in range(50))

    threads = [
        threading.Thread(target=reserve, args=(Ledger(tmp_path) if each_its_own else shared,))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 200
    assert sum(granted) == 5000


def test_each_mark_is_told_once_a_period_also_after_a_restart(tmp_path: Path) -> None:
    limits, told = Limits(daily_requests=1000, monthly_requests=10_000_000), []
    for _ in range(100):
        ledger = Ledger(tmp_path)
        told += [(mark, account.used) for account, mark in ledger.reserve("flyt", limits, WALL).alerts]
        ledger.close()
    assert told == [(50, 500), (80, 800), (95, 950)]
    assert not Ledger(tmp_path).reserve("flyt", limits, WALL).alerts
    tomorrow = [
        mark for _ in range(50) for _, mark in Ledger(tmp_path).reserve("flyt", limits, TOMORROW).alerts
    ]
    assert tomorrow == [50]


def test_the_files_are_for_nobody_else(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.reserve("flyt", LIMITS, WALL)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}
    ledger.close()


def test_the_disk_is_synced_at_each_commit(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.reserve("flyt", LIMITS, WALL)
    assert ledger._database is not None
    assert ledger._database.execute("pragma journal_mode").fetchone() == ("wal",)
    assert ledger._database.execute("pragma synchronous").fetchone() == (2,)


def test_without_a_quota_there_is_no_file(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_it_is_kept_in_memory() -> None:
    ledger = Ledger(None)
    ledger.reserve("flyt", LIMITS, WALL)
    assert used(ledger) == [50, 50]


def test_a_folder_copied_at_any_moment_is_a_ledger_that_is_not_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    ledger = Ledger(state)
    block = ledger.reserve("flyt", LIMITS, WALL).block
    for sent in range(1, 171):
        if not block.take(WALL):
            block = ledger.reserve("flyt", LIMITS, WALL).block
            assert block.take(WALL)
        if sent % 10 == 1:
            shutil.copytree(state, copy := tmp_path / f"copy{sent}")
            assert sent <= used(Ledger(copy))[0] < sent + 50


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, " * 100)
    with pytest.raises(SinkError, match=r"quota\.sqlite: .*move it away"):
        Ledger(tmp_path).reserve("flyt", LIMITS, WALL)


def test_a_ledger_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    Ledger(tmp_path).reserve("flyt", LIMITS, WALL)
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("pragma user_version = 9")
    with pytest.raises(SinkError, match="its version is 9"):
        Ledger(tmp_path).reserve("flyt", LIMITS, WALL)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SinkError):
        Ledger(tmp_path).reserve("flyt", LIMITS, WALL)
    assert not (tmp_path / "elsewhere").exists()


def test_after_a_failure_it_is_opened_anew(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger = Ledger(state)
    with pytest.raises(SinkError):
        ledger.reserve("flyt", LIMITS, WALL)
    state.mkdir()
    assert ledger.reserve("flyt", LIMITS, WALL).block.left == 50


def purse(ledger: Ledger, limits: Limits, told: list[Event] | None = None) -> Purse:
    return Purse(
        "flyt",
        limits,
        ledger,
        clock=virtual.VirtualClock(),
        observe=silent if told is None else told.append,
        ready=lambda: None,
    )


async def drawn(one: Purse, number: int) -> int:
    """How many of `number` tries to take a request succeed; fetches in between are waited for."""
    taken = 0
    for _ in range(number):
        while (answer := one.take()) == "wait":  # noqa: ASYNC110 - the fetch is done at the next turn
            await asyncio.sleep(0)
        taken += answer == "taken"
    return taken


async def test_a_purse_goes_to_the_ledger_once_a_block() -> None:
    ledger = Ledger(None)
    one = purse(ledger, LIMITS)
    assert await drawn(one, 120) == 120
    assert used(ledger) == [150, 150]
    await one.aclose()
    assert used(ledger) == [120, 120]


async def test_a_spent_quota_is_refused_with_when_it_begins_anew() -> None:
    one = purse(Ledger(None), Limits(daily_requests=70))
    assert await drawn(one, 80) == 70
    first, second = one.why(), one.why()
    assert first is not second
    assert isinstance(first, QuotaError)
    assert str(first) == (
        "application flyt: the daily quota of 70 requests is spent (70 used)."
        " It begins anew at 2026-11-21 00:00 UTC; what is unfinished can be resumed then"
    )


async def test_the_next_day_it_goes_on_and_yesterdays_rest_is_given_back() -> None:
    ledger, limits = Ledger(None), Limits(daily_requests=10_000)
    one = purse(ledger, limits)
    assert await drawn(one, 20) == 20
    await asyncio.sleep(86400)
    assert await drawn(one, 30) == 30
    await one.aclose()
    assert used(ledger, limits) == [20]
    assert used(ledger, limits, TOMORROW) == [30]


async def test_a_spent_quota_is_asked_again_the_next_day() -> None:
    one = purse(Ledger(None), Limits(daily_requests=5))
    assert await drawn(one, 10) == 5
    await asyncio.sleep(86400)
    assert await drawn(one, 10) == 5


async def test_marks_are_told_as_events() -> None:
    told: list[Event] = []
    await drawn(purse(Ledger(None), Limits(monthly_requests=100), told), 80)
    assert told == [
        QuotaAlert("flyt", "month", 50, 100, 50),
        QuotaAlert("flyt", "month", 80, 100, 80),
    ]


async def test_a_broken_ledger_is_refused_with_its_own_error(tmp_path: Path) -> None:
    one = purse(Ledger(tmp_path / "missing"), LIMITS)
    assert await drawn(one, 1) == 0
    assert isinstance(one.why(), SinkError)
    assert one.why() is not one.why()
    assert "state folder" in str(one.why())
    await one.aclose()
