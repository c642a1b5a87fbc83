"""Every fault at every stage of a pull, on the virtual clock: what comes of it, and that nothing lies.

Not here: a full, failing or read-only disk at any call, and deaths at any call (`tests/crash`); wrong secrets
(`tests/integration/test_exit_codes.py`); TLS (`tests/integration/http/test_trust.py`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harvester.config.load import load
from harvester.emulator.server import Emulator
from harvester.harvest import Order, World, harvest
from harvester.plan import Selection
from harvester.sinks import part
from tests import virtual
from tests.harvesting import Lake
from tests.simulation.network import SimulatedConnector, Weather
from tests.simulation.scenario import _inline, _no_server

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"
FIRST, MIDDLE = 1, 5
"""Numbers of requests for pages."""
WHOLE = ("committed", "certified")


@dataclass
class Played:
    manifest: Mapping[str, Any]
    lines: list[bytes]
    served: list[bytes]

    @property
    def outcome(self) -> tuple[str, str]:
        (result,) = self.manifest["results"]
        return result["state"], result.get("verdict") or result["error"]["kind"]


def play(
    folder: Path,
    spec: str = "",
    *,
    weather: Mapping[str, float] | None = None,
    limits: str = "",
    jumps: float = 0.0,
    days: int = 1,
) -> Played:
    """One pull of 400 users by 50. `jumps`: the wall clock is set by so much in the middle of it."""
    emulator = Emulator(tenants=1, rows=400, providers=(PROVIDER,), faults=spec)
    emulator.url = "http://127.0.0.1:1"
    sky = Weather(random.Random(1), **(weather or {}))
    text = emulator.config_text(sink=str(folder / "lake"), state=str(folder / "state"))
    declared = f'provider = "{PROVIDER}"'
    path = folder / "matrix.toml"
    path.touch(0o600)
    path.write_text(text.replace(declared, f"{declared}\nlimits = {{ page_size = 50{limits} }}"))

    async def main() -> Mapping[str, Any]:
        runner = web.AppRunner(emulator.make_app(), access_log=None)
        await runner.setup()
        clock = virtual.VirtualClock()

        def connect(**options: Any) -> SimulatedConnector:
            return SimulatedConnector(sky, runner.server or _no_server, **options)

        def watch(_event: object) -> None:
            clock.epoch = virtual.EPOCH + jumps

        world = World(clock=clock, rng=random.Random(2), offload=_inline, connector=connect)
        order = Order(Selection((), ("users",)), run_id="matrix")
        try:
            for day in range(days):
                manifest = await harvest(
                    load(path), order, observe=watch if jumps else print_nothing, world=world
                )
                clock.epoch = virtual.EPOCH + 86_400 * (day + 1)
                order = Order(resume="newest")
            return manifest
        finally:
            await runner.cleanup()

    manifest = virtual.run(main)
    (result,) = manifest["results"]
    lake = Lake(folder / "lake")
    lines = lake.lines(PROVIDER, "users", TENANT) if result["state"] == "committed" else []
    assert lines or not lake.visible(), "something is visible of a pull that is not committed"
    return Played(manifest, lines, emulator.records(PROVIDER, TENANT, "users"))


def print_nothing(_event: object) -> None: ...


@pytest.mark.parametrize("place", [FIRST, MIDDLE])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (408, WHOLE),
        (425, WHOLE),
        (429, WHOLE),
        (500, WHOLE),
        (502, WHOLE),
        (503, WHOLE),
        (504, WHOLE),
        (401, WHOLE),
        (403, ("failed", "RefusedError")),
        (410, ("failed", "RefusedError")),
    ],
)
def test_a_status_once(tmp_path: Path, place: int, status: int, outcome: tuple[str, str]) -> None:
    played = play(tmp_path, f"nth:{place}={status}")
    assert played.outcome == outcome
    assert sorted(played.lines) == (sorted(played.served) if outcome == WHOLE else [])


@pytest.mark.parametrize("place", [FIRST, MIDDLE])
def test_a_404_that_comes_once_is_no_end(tmp_path: Path, place: int) -> None:
    played = play(tmp_path, f"nth:{place}=404")
    assert played.outcome == WHOLE
    assert sorted(played.lines) == sorted(played.served)


@pytest.mark.parametrize(
    "spec",
    ["500:0.2", "503:0.3", "429:0.3", "429:0.3,retry-after:7", "html:0.3", "truncate:0.3", "reset:0.3"],
)
def test_now_and_then_at_every_stage(tmp_path: Path, spec: str) -> None:
    played = play(tmp_path, spec)
    assert played.outcome[0] == "committed"
    assert sorted(played.lines) == sorted(played.served)


@pytest.mark.parametrize("fault", ["refuse", "reset", "stall", "black_hole"])
def test_a_network_that_fails_is_asked_again(tmp_path: Path, fault: str) -> None:
    played = play(tmp_path, weather={fault: 0.15})
    assert played.outcome == WHOLE
    assert sorted(played.lines) == sorted(played.served)


@pytest.mark.parametrize("fault", ["refuse", "black_hole"])
def test_a_server_that_is_gone_fails_the_pull_in_bounded_time(tmp_path: Path, fault: str) -> None:
    played = play(tmp_path, weather={fault: 1.0})
    assert played.outcome[0] == "failed"
    assert played.manifest["exit_code"] == 5
    assert played.manifest["seconds"] < 3600


@pytest.mark.parametrize(
    ("spec", "kind", "code"),
    [
        ("404:1", "RefusedError", 3),
        ("403:1", "RefusedError", 3),
        ("token-status:503", "UnreachableError", 5),
        ("token-status:500", "UnreachableError", 5),
        ("500:1", "UnreachableError", 5),
        ("503:1", "UnreachableError", 5),
        ("429:1", "ThrottledError", 5),
        ("html:1", "ProtocolError", 3),
        ("bomb", "CeilingError", 3),
        ("redirect:http://other.example/", "RefusedError", 3),
        ("envelope:two", "ProtocolError", 3),
    ],
)
def test_what_never_passes_is_named(tmp_path: Path, spec: str, kind: str, code: int) -> None:
    played = play(tmp_path, spec)
    assert played.outcome == ("failed", kind)
    assert played.manifest["exit_code"] == code


@pytest.mark.parametrize(
    "spec",
    [
        "expires-in:3",
        "revoke-after:20",
        "cap:17",
        "nototal",
        "short-pages",
        "wrongtotal:40",
        "flaws",
        "headers:40",
    ],
)
def test_a_vice_costs_no_record(tmp_path: Path, spec: str) -> None:
    played = play(tmp_path, spec)
    assert played.outcome == WHOLE
    assert sorted(played.lines) == sorted(played.served)


@pytest.mark.parametrize("hours", [-1, 1, 24])
def test_a_wall_clock_that_is_set_in_the_middle_matters_to_nobody(tmp_path: Path, hours: int) -> None:
    played = play(tmp_path, "503:0.1", jumps=hours * 3600.0)
    assert played.outcome == WHOLE
    assert sorted(played.lines) == sorted(played.served)


def test_a_spent_quota_parks_the_pull_and_the_next_day_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "FRAME", 5_000)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = play(tmp_path / "one", limits=", daily_requests = 5")
    assert (first.outcome, first.manifest["exit_code"]) == (("interrupted", "QuotaError"), 8)
    played = play(tmp_path / "two", limits=", daily_requests = 6", days=2)
    assert played.outcome == WHOLE
    assert sorted(played.lines) == sorted(played.served)
