"""Backfill: years in windows, behind the nights' runs, within the quotas, stopped and resumed at will."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from harvester.backfill import FOLDER, backfill
from harvester.backfill_plan import Terms
from harvester.clock import SystemClock
from harvester.config.load import Config, load
from harvester.config.units import parse_moment
from harvester.emulator.roster import Row
from harvester.emulator.server import Emulator
from harvester.errors import HarvesterError, LockedError, UsageError
from harvester.events import Event, Notice, Observer, PageFetched, WindowEnded, silent
from harvester.harvest import World
from harvester.lock import lock
from tests.harvesting import QUICK, command, configure, run

pytestmark = pytest.mark.anyio

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"
DAY = 86_400.0
FROM, TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
TERMS = Terms(parse_moment("2020-01-01"), parse_moment("2026-01-01"), 365 * DAY, (), ("users",))
WINDOWS = 7
"""six years, two of them leap years, by 365 days"""
WORDS = ("--from", "2020-01-01", "--to", "2026-01-01", "--window", "90d", "--resource", "users")


def emulator_of(rows: int = 300, **options: Any) -> Emulator:
    """One tenant whose users were modified at moments all over the time, and some outside of it."""
    emulator = Emulator(tenants=1, rows=rows, providers=(PROVIDER,), **options)
    held = emulator.tenant(PROVIDER, TENANT).collection("users")
    assert isinstance(held, list)
    rng = random.Random(4)
    for place, row in enumerate(held):
        moment = FROM + timedelta(milliseconds=rng.randrange(round((TO - FROM).total_seconds() * 1000)))
        match place:
            case 0:
                moment = FROM
            case 1:
                moment = TO  # not in it
            case 2:
                moment = FROM - timedelta(milliseconds=1)
            case 3:
                moment = FROM + timedelta(days=365)  # the first of the second window
        value = {**row.value, "dateLastModified": parse_moment(moment.isoformat())}
        held[place] = Row(row.id, value, json.dumps(value, separators=(",", ":")).encode())
    return emulator


def expected(emulator: Emulator) -> Counter[bytes]:
    rows = emulator.tenant(PROVIDER, TENANT).collection("users")
    return Counter(row.text for row in rows if TERMS.since <= row.value["dateLastModified"] < TERMS.until)


def asked(emulator: Emulator) -> int:
    return emulator.requests.get("all", 0)


def landed(folder: Path) -> Counter[bytes]:
    lines: Counter[bytes] = Counter()
    for part in (folder / f"lake/{PROVIDER}/users").rglob("run=*-w*/part-*.ndjson.gz"):
        lines.update(gzip.decompress(part.read_bytes()).split(b"\n")[:-1])
    return lines


def limited(config: Config, **limits: object) -> Config:
    said = "".join(f"{key} = {json.dumps(value)}\n" for key, value in limits.items())
    with config.path.open("a") as file:
        file.write(f"\n[applications.{PROVIDER}.limits]\n{said}")
    return load(config.path)


async def go(
    config: Config,
    terms: Terms | None = TERMS,
    observe: Observer = silent,
    clock: SystemClock | None = None,
) -> Mapping[str, Any]:
    world = World(clock=clock or SystemClock(), rng=random.Random(1), policy=QUICK)
    return await backfill(config, terms, observe=observe, world=world)


class Later(SystemClock):
    """A clock that is some days ahead."""

    def __init__(self, days: int) -> None:
        self.ahead = days * DAY

    def wall(self) -> float:
        return super().wall() + self.ahead


async def test_each_record_is_in_the_one_window_it_belongs_to(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        config = configure(emulator, tmp_path)
        ended: list[int] = []

        def observe(event: Event) -> None:
            if isinstance(event, WindowEnded):
                ended.append(event.number)

        done = await go(config, observe=observe)
        assert (done["exit_code"], done["ended"], done["windows"], done["done"]) == (
            0,
            True,
            WINDOWS,
            WINDOWS,
        )
        assert ended == list(range(1, WINDOWS + 1)), "oldest first"
        assert landed(tmp_path) == expected(emulator)
        assert done["records"] == expected(emulator).total()
        assert not (tmp_path / "lake/_current").exists()
        first = done["results"][0]
        (path,) = (tmp_path / "lake").glob(f"{PROVIDER}/users/*/*/run={first['run']}/_manifest.json")
        manifest = json.loads(path.read_bytes())
        assert (manifest["mode"], manifest["since"]) == ("backfill", TERMS.since)
        before = asked(emulator)
        again = await go(config)
        assert (again["exit_code"], again["ended"]) == (0, True)
        assert asked(emulator) == before, "an ended backfill asks for nothing"
        assert (await go(config, None))["backfill"] == done["backfill"]


async def test_an_empty_window_costs_one_request(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        terms = replace(TERMS, since=parse_moment("1990-01-01"), until=parse_moment("2000-01-01"))
        done = await go(configure(emulator, tmp_path), terms)
        assert (done["exit_code"], done["records"]) == (0, 0)
        assert done["committed"] == done["windows"] == asked(emulator)


async def test_a_spent_quota_ends_the_day_and_the_same_command_goes_on_tomorrow(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        config = limited(configure(emulator, tmp_path), daily_requests=3)
        for day in range(9):
            before = asked(emulator)
            done = await go(config, clock=Later(day))
            assert asked(emulator) - before <= 3
            if done["exit_code"] == 0:
                break
            assert (done["exit_code"], done["ended"]) == (8, False)
            assert "daily quota of 3 requests is spent" in done["why"]
            if day == 0:
                same_day = asked(emulator)
                assert (await go(config))["exit_code"] == 8
                assert asked(emulator) == same_day
        assert done["ended"]
        assert day >= 2, "it took several days"
        assert landed(tmp_path) == expected(emulator)


async def test_what_the_nights_run_uses_of_the_quota_is_left_to_it(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        config = limited(configure(emulator, tmp_path), daily_requests=10)
        night = await run(config, resources=["users"])
        used = night["applications"][PROVIDER]["sent"]
        assert 3 <= used < 8
        before = asked(emulator)
        done = await go(config, clock=Later(1))
        assert done["exit_code"] == 8
        assert f"but for {used} left to the runs" in done["why"]
        assert asked(emulator) - before == 10 - used


class Patient(SystemClock):
    """Waits are over at once, but counted; after some of them something happens."""

    def __init__(self, after: int, then: Callable[[], None]) -> None:
        self.waits = 0
        self.after = after
        self.then = then

    async def sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == self.after:
            self.then()
        await anyio.lowlevel.checkpoint()


async def test_it_stands_still_while_a_run_goes_on(tmp_path: Path) -> None:
    async with emulator_of(900) as emulator:
        config = limited(configure(emulator, tmp_path), concurrency=1)
        run_lock = ExitStack()
        counted: list[int] = []
        told: list[str] = []

        def observe(event: Event) -> None:
            if isinstance(event, PageFetched) and not counted:
                run_lock.enter_context(lock(config.state.path))
                counted.append(asked(emulator))
            if isinstance(event, Notice):
                told.append(event.what)

        def release() -> None:
            counted.append(asked(emulator))
            run_lock.close()

        clock = Patient(200, release)
        done = await go(config, observe=observe, clock=clock)
        assert clock.waits >= 200
        assert counted[1] - counted[0] <= 1, "what was in flight ends, and nothing begins"
        assert done["exit_code"] == 0
        assert landed(tmp_path) == expected(emulator)
        assert any("stands still" in what for what in told)
        assert any("goes on" in what for what in told)


async def test_it_begins_with_standing_still_if_a_run_was_first(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        config = configure(emulator, tmp_path)
        held = ExitStack()
        held.enter_context(lock(config.state.path))
        before: list[int] = []

        def release() -> None:
            before.append(asked(emulator) + emulator.requests["tokens"])
            held.close()

        assert (await go(config, clock=Patient(50, release)))["exit_code"] == 0
        assert before == [0]


class PlugPulledError(HarvesterError):
    """What stands for a death of one pull."""


async def test_a_window_that_failed_is_tried_again_and_the_others_go_on(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        config = configure(emulator, tmp_path)
        pages = 0

        def observe(event: Event) -> None:
            nonlocal pages
            pages += isinstance(event, PageFetched)
            if isinstance(event, PageFetched) and pages == 2:
                raise PlugPulledError("the plug was pulled")

        first = await go(config, observe=observe)
        assert (first["exit_code"], first["ended"], first["done"]) == (3, False, WINDOWS - 1)
        second = await go(config)
        assert (second["exit_code"], second["done"]) == (0, WINDOWS)
        assert landed(tmp_path) == expected(emulator)


def _start(config: Config) -> subprocess.Popen[str]:
    words = [str(config.path), *WORDS, "--progress", "plain"]
    return subprocess.Popen(
        [sys.executable, "-m", "harvester", "backfill", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


async def _line_with(process: subprocess.Popen[str], word: str) -> str:
    assert process.stderr is not None
    seen: list[str] = []
    while line := await anyio.to_thread.run_sync(process.stderr.readline):
        seen.append(line)
        if word in line:
            return line
    raise AssertionError(f"it ended without {word!r}: {seen}")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_it_is_stopped_by_a_signal_a_run_goes_between_and_it_is_resumed(
    tmp_path: Path, how: signal.Signals
) -> None:
    async with emulator_of() as emulator:
        config = limited(configure(emulator, tmp_path), rate="1/s", concurrency=1)
        with _start(config) as process:
            try:
                await _line_with(process, "window 1 of 25")
                night = await anyio.to_thread.run_sync(
                    lambda: command("run", config.path, "--resource", "orgs", "--progress", "none")
                )
                assert night.returncode == 0, night.stderr
                other = await anyio.to_thread.run_sync(lambda: command("backfill", config.path, *WORDS))
                assert other.returncode == LockedError.exit_code, other.stderr
                process.send_signal(how)
                code = await anyio.to_thread.run_sync(process.wait)
            finally:
                process.kill()
        assert code in {signal.SIGKILL: (-9,), signal.SIGTERM: (143, -15), signal.SIGINT: (130,)}[how]
        config.path.write_text(config.path.read_text().replace('"1/s"', '"1000/s"'))
        done = await anyio.to_thread.run_sync(lambda: command("backfill", config.path, "--resume", "--json"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["done"] == 25
        assert landed(tmp_path) == expected(emulator)
        assert not list((tmp_path / "lake/_staging").glob("*/*"))
        ended = await anyio.to_thread.run_sync(lambda: command("backfill", config.path, *WORDS))
        assert (ended.returncode, "has ended" in ended.stderr) == (0, True)


async def test_another_command_line_is_told_of_the_unfinished_one(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        config = limited(configure(emulator, tmp_path), daily_requests=2)
        assert (await go(config))["exit_code"] == 8
        with pytest.raises(UsageError, match=r"unfinished .* of 7 windows .*--resume"):
            await go(config, replace(TERMS, width=100 * DAY))
        (plan,) = (config.state.path / FOLDER).glob("*.plan")
        plan.unlink()
        assert (await go(config, replace(TERMS, width=3000 * DAY), clock=Later(1)))["windows"] == 1


async def test_a_tenant_that_the_configuration_lost_is_missed(tmp_path: Path) -> None:
    async with emulator_of() as emulator:
        config = limited(configure(emulator, tmp_path), daily_requests=2)
        assert (await go(config))["exit_code"] == 8
        with pytest.raises(UsageError, match="no longer has"):
            await go(replace(config, tenants=()))


async def test_a_server_that_does_not_filter_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with emulator_of() as emulator:
        monkeypatch.setattr("harvester.emulator.api.chosen", lambda rows, query, vice="": list(rows))
        done = await go(configure(emulator, tmp_path))
        assert (done["exit_code"], done["committed"]) == (3, 0)
        assert done["not_filtered"] == [f"{TENANT}/users"]
        assert asked(emulator) <= 2
        assert landed(tmp_path).total() == 0


async def test_what_can_not_be_asked_by_date_is_named(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=30, providers=(PROVIDER, "flyt-skole")) as emulator:
        config = configure(emulator, tmp_path)
        told: list[str] = []

        def observe(event: Event) -> None:
            if isinstance(event, Notice):
                told.append(event.what)

        done = await go(config, replace(TERMS, resources=(), width=3000 * DAY), observe)
        assert done["exit_code"] == 0
        assert any("not backfilled: flyt-skole/" in what for what in told)
        with pytest.raises(UsageError, match="flyt-skole/"):
            await go(config, replace(TERMS, tenants=("flyt-skole-1",), resources=()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "from when"),
        (("--from", "2020-01-01"), "from when"),
        (("--from", "2021-01-01", "--to", "2020-01-01"), "no time"),
        (("--from", "2021-01-01", "--to", "2999-01-01"), "not over yet"),
        (("--from", "2021-01-01", "--to", "2022-01-01", "--window", "3 moons"), "no duration"),
        (("--from", "2021-01-01", "--to", "2022-01-01", "--resource", "nonsense"), "no provider has"),
        (("--from", "2021-01-01", "--to", "2022-01-01", "--tenant", "nobody"), "no pull"),
        (("--resume",), "no backfill to resume"),
        (("--resume", "--from", "2021-01-01"), "give --resume alone"),
        (("--resume", "20261120T020000Z-7f3a9c"), "takes no id"),
    ],
)
async def test_what_can_not_be_is_a_usage_error(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    async with emulator_of(10) as emulator:
        config = configure(emulator, tmp_path)
    done = command("backfill", config.path, *words)
    assert (done.returncode, said in done.stderr.replace("Give", "give")) == (2, True), done.stderr
