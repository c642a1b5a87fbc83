"""One simulated harvest: a seed decides the server's vices and faults, the network, what changes, who dies.

    python -m tests.simulation.scenario SEED          one seed, told in full
    python -m tests.simulation.scenario FIRST COUNT   many, with a summary (`make simulate SEEDS=N`)

The client is the whole harvester with aiohttp's own client, the server the emulator under aiohttp's own
server; only clock, network and dice are ours. The same seed is the same run, to the byte.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import logging
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog
from aiohttp import web

from harvester.config.load import Config, load
from harvester.emulator.faults import Faults
from harvester.emulator.roster import Row
from harvester.emulator.server import Emulator
from harvester.events import Event, PageFetched
from harvester.harvest import Order, World, harvest
from harvester.plan import Selection
from harvester.sinks import part
from tests import virtual
from tests.simulation.network import SimulatedConnector, Weather

T = TypeVar("T")
PROVIDER = "oneroster-v1p2"
VICES = (
    *([""] * 6),
    *("cap:37", "cap:23,nototal", "nototal", "notfound-end", "short-pages", "long-pages", "refuse-sort"),
    *(
        "linkonly",
        "wrongtotal:40",
        "texttotal",
        "repeat-last,nototal",
        "gzip",
        "flaws",
        "empty-end",
        "disorder",
    ),
)
RESOURCES = ("users", "orgs")


@dataclass
class Roster:
    """A collection that changes while it is pulled, and what was in it when."""

    rows: list[Row]
    rng: random.Random
    stamp: Callable[[], str]
    persistent: set[str] = field(init=False)
    """there from the beginning on, and never deleted"""
    served: dict[str, set[bytes]] = field(default_factory=dict)
    """Id -> everything that was ever to be had under it."""

    def __post_init__(self) -> None:
        self.persistent = {row.id for row in self.rows}
        for row in self.rows:
            self.served.setdefault(row.id, set()).add(row.text)

    def change(self) -> None:
        """Insert, delete or update something."""
        what = self.rng.choice(("insert", "delete", "update", "update"))
        if what == "insert" or not self.rows:
            self._put(f"{self.rng.getrandbits(64):016x}", {})
            return
        row = self.rng.choice(self.rows)
        if what == "delete":
            self.rows.remove(row)
            self.persistent.discard(row.id)
        else:
            self._put(row.id, dict(row.value))

    def burst(self) -> None:
        """A stretch of rows is deleted at once."""
        start = self.rng.randrange(max(1, len(self.rows)))
        end = start + self.rng.randrange(1, 8)
        self.persistent.difference_update(row.id for row in self.rows[start:end])
        del self.rows[start:end]

    def _put(self, row_id: str, value: dict[str, Any]) -> None:
        value |= {"sourcedId": row_id, "status": "active", "dateLastModified": self.stamp()}
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        self.rows[:] = sorted(
            [*(row for row in self.rows if row.id != row_id), Row(row_id, value, text)],
            key=lambda row: row.id,
        )
        self.served.setdefault(row_id, set()).add(text)


@dataclass
class Outcome:
    """What a simulated run came to, and everything that is wrong with it."""

    seed: int
    told: str
    results: list[Mapping[str, Any]] = field(default_factory=list)
    pages: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    digest: str = ""
    seconds: float = 0.0
    """virtual"""

    @property
    def again(self) -> str:
        return f"again: python -m tests.simulation.scenario {self.seed}"


def simulate(seed: int) -> Outcome:
    """Run one seed. Never raises for what the harvester does wrong: that is in `wrong`."""
    random.seed(seed)  # aiohttp shuffles its waiters by the global dice
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="simulated-", dir=shared if shared.is_dir() else None))
    scenario = _Scenario(seed, folder)
    frame, part.FRAME = part.FRAME, scenario.frame
    server = logging.getLogger("aiohttp.server")
    server.disabled = True  # connections are cut on demand here
    try:
        virtual.run(scenario.play, random.Random(seed + 1))
    except virtual.DeadlockError as hang:
        scenario.outcome.wrong.append(f"hang: {hang}")
    finally:
        server.disabled = False
        part.FRAME = frame
        shutil.rmtree(folder)
    return scenario.outcome


class _Scenario:
    def __init__(self, seed: int, folder: Path) -> None:
        rng = self.rng = random.Random(seed)
        self.folder = folder
        self.tenants = rng.choice((1, 1, 2, 3))
        vice = rng.choice(VICES)
        broken = [
            f"{fault}:{rng.choice((0, 0, 0.02, 0.1))}"
            for fault in ("503", "500", "429", "html", "truncate", "reset")
        ]
        limits = [rng.choice(("", "", "rate:20", "concurrency:3"))]
        limits.append(rng.choice(("", "", "expires-in:20", "revoke-after:5")))
        self.spec = ",".join(word for word in (vice, *broken, *limits) if word and not word.endswith(":0"))
        self.weather = Weather(
            random.Random(seed + 2),
            refuse=rng.choice((0, 0, 0.05)),
            black_hole=rng.choice((0, 0, 0.01)),
            reset=rng.choice((0, 0, 0.03)),
            stall=rng.choice((0, 0, 0.01)),
            slowest=rng.choice((0.01, 0.05, 0.5)),
        )
        self.emulator = Emulator(
            tenants=self.tenants,
            rows=rng.choice((0, 3, 30, 150, 400)),
            providers=(PROVIDER,),
            faults=Faults.parse(self.spec),
            seed=seed,
        )
        self.emulator.url = "http://127.0.0.1:1"
        self.page_size = rng.choice((7, 20, 50, 100))
        self.sort = rng.random() < 0.8
        self.changes = rng.choice((0, 0, 0.2, 2, 20))
        """a second, over all collections"""
        self.dies = rng.random() < 0.4
        self.frame = rng.choice((3_000, 20_000, 262_144))
        told = f"{self.spec or 'calm'}; pages of {self.page_size}, sort {self.sort}, {self.changes} changes/s"
        self.outcome = Outcome(seed, f"{told}, {'dies' if self.dies else 'lives'}")
        self.rosters: dict[tuple[str, str], Roster] = {}

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        runner = web.AppRunner(self.emulator.make_app(), access_log=None)
        await runner.setup()
        self.clock = virtual.VirtualClock()
        for provider, tenant in self.emulator.tenants:
            for resource in RESOURCES:
                rows = self.emulator.tenant(provider, tenant).collection(resource)
                assert isinstance(rows, list)
                self.rosters[tenant, resource] = Roster(rows, self.rng, self._stamp)
        churn = asyncio.create_task(self._churn(), name="churn")
        try:
            manifest = await self._harvest(runner)
        finally:
            churn.cancel()
            await asyncio.gather(churn, return_exceptions=True)
            await runner.cleanup()
        self._judge(manifest)
        self.outcome.seconds = loop.now

    async def _churn(self) -> None:
        while self.changes:
            await asyncio.sleep(self.rng.expovariate(self.changes))
            roster = self.rng.choice(list(self.rosters.values()))
            roster.burst() if self.rng.random() < 0.02 else roster.change()

    def _stamp(self) -> str:
        return f"2026-11-20T{self.clock.now() % 86_400 // 3600:02.0f}:00:{self.clock.now() % 60:06.3f}Z"

    async def _harvest(self, runner: web.AppRunner) -> Mapping[str, Any]:
        config = self._config()
        world = World(
            clock=self.clock,
            rng=random.Random(self.outcome.seed + 3),
            offload=_inline,
            connector=lambda **options: SimulatedConnector(
                self.weather, runner.server or _no_server, **options
            ),
        )
        order = Order(Selection((), RESOURCES), run_id="simulated")
        lives = 0
        while self.dies and lives < 3:
            lives += 1
            life = asyncio.create_task(harvest(config, order, observe=self._observe, world=world))
            await asyncio.wait([life], timeout=self.rng.uniform(0.1, 4.0))
            if life.done():
                return life.result()
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            self._look_for_halves()
            self.outcome.faults["death"] += 1
            order = Order(resume="newest")
        return await harvest(config, order, observe=self._observe, world=world)

    def _config(self) -> Config:
        text = self.emulator.config_text(
            sink=str(self.folder / "lake"), state=str(self.folder / "state"), require="uncertified"
        )
        sort = "" if self.sort else "sort = false\n"
        text = text.replace(
            f'provider = "{PROVIDER}"',
            f'provider = "{PROVIDER}"\n{sort}limits = {{ page_size = {self.page_size} }}',
        )
        path = self.folder / "simulated.toml"
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")
        return load(path)

    def _observe(self, event: Event) -> None:
        self.outcome.pages += isinstance(event, PageFetched)

    # ── the oracle ──

    def _judge(self, manifest: Mapping[str, Any]) -> None:
        outcome = self.outcome
        outcome.faults.update(self.weather.met)
        outcome.faults["retries"] += sum(result.get("retries", 0) for result in manifest["results"])
        outcome.results = manifest["results"]
        if len(manifest["results"]) != len(self.rosters):
            outcome.wrong.append(f"{len(self.rosters)} pulls have {len(manifest['results'])} outcomes")
        hashed = hashlib.sha256()
        for result in manifest["results"]:
            hashed.update(f"{result['tenant']} {result['resource']} {result['state']}".encode())
            if result["state"] == "committed":
                self._judge_pull(result, hashed)
        outcome.digest = hashed.hexdigest()
        self._look_for_halves()

    def _judge_pull(self, result: Mapping[str, Any], hashed: Any) -> None:
        name = f"{result['tenant']}/{result['resource']}"
        folder = Path(result["path"])
        manifest = json.loads((folder / "_manifest.json").read_bytes())
        lines: list[bytes] = []
        for one in manifest["parts"]:
            data = (folder / one["name"]).read_bytes()
            hashed.update(data)
            if hashlib.sha256(data).hexdigest() != one["sha256"]:
                self.outcome.wrong.append(f"{name}: {one['name']} is not what the manifest swears to")
            lines += gzip.decompress(data).split(b"\n")[:-1]
        roster = self.rosters[result["tenant"], result["resource"]]
        ids = [json.loads(line)["sourcedId"] for line in lines]
        doubled = [row_id for row_id, count in Counter(ids).items() if count > 1]
        if doubled:
            self.outcome.wrong.append(f"{name}: {len(doubled)} ids are doubled, {doubled[0]} for one")
        for row_id, line in zip(ids, lines, strict=True):
            if line not in roster.served.get(row_id, ()):
                self.outcome.wrong.append(f"{name}: {row_id} was never served as it was written")
                break
        lost = roster.persistent - set(ids)
        if lost and result["verdict"] in ("certified", "repaired"):
            self.outcome.wrong.append(f"{name}: {result['verdict']}, and {len(lost)} rows are missing")
        if manifest["records"] != len(lines):
            self.outcome.wrong.append(f"{name}: {manifest['records']} records claimed, {len(lines)} written")

    def _look_for_halves(self) -> None:
        """At any moment a reader sees a pull whole or not at all."""
        lake = self.folder / "lake" / PROVIDER
        for path in lake.glob("*/*/*/*"):
            if not (path / "_manifest.json").exists():
                self.outcome.wrong.append(f"half of a pull is visible: {path.name}")


async def _inline(call: Callable[[], T]) -> T:
    return call()


def _no_server() -> asyncio.Protocol:
    raise AssertionError("the server is not set up")


def main(first: int, count: int) -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    total: Counter[str] = Counter()
    for seed in range(first, first + count):
        outcome = simulate(seed)
        total.update(outcome.faults)
        total.update({"pulls": len(outcome.results), "pages": outcome.pages})
        total.update(f"{result['state']} {result.get('verdict', '')}" for result in outcome.results)
        if outcome.wrong or count == 1:
            print(f"seed {seed}: {outcome.told}; {outcome.seconds:.1f} virtual s; {outcome.digest[:16]}")
            for what in outcome.wrong:
                print(f"  WRONG: {what}\n  {outcome.again}")
            total["wrong"] += bool(outcome.wrong)
    print(f"seeds {first} to {first + count - 1}: " + ", ".join(f"{n} {k}" for k, n in sorted(total.items())))
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(numbers[0], numbers[1] if len(numbers) > 1 else 1))
