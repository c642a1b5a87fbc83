"""One run, from a configuration to its manifest: lock, plan, journal, supervise, report.

This is what `harvester run` does, callable without a terminal.
"""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from harvester.build import Wiring, open_sink, wire
from harvester.clock import Clock, SystemClock
from harvester.commit import Outcome
from harvester.config.load import Config
from harvester.config.secrets import Secrets
from harvester.dialects import Dialects
from harvester.errors import UsageError
from harvester.events import Observer, silent
from harvester.http.client import Connector, TCPConnector
from harvester.http.fetch import Turn
from harvester.http.retry import POLICY, RetryPolicy
from harvester.journal import Journal, Recovered, recover, unfinished
from harvester.ledger import Spare
from harvester.leftovers import clear, pages_folder, runs_folder, sweep
from harvester.lock import lock
from harvester.marks import Marks
from harvester.model import Pull, Run
from harvester.offload import Offload, Threads
from harvester.plan import DEFAULT_CONCURRENCY, Job, Plan, Selection, plan, select
from harvester.pull import Harvest, run_pulls
from harvester.report import run_manifest
from harvester.sinks.part import disk_error
from harvester.sinks.sink import Json, Sink
from harvester.supervisor import supervise

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

MOST_WORKERS = 64
"""Pulls of one application in progress at once: each holds a frame and a few pages in memory."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a person or a scheduler asks of one run."""

    selection: Selection = field(default_factory=Selection)
    run_id: str | None = None
    mode: Literal["full", "incremental"] = "full"
    since: str | None = None
    """Of an incremental run: ask from this moment (ISO 8601) instead of from each pull's own mark."""
    resume: str | None = None
    """A run's id, or `newest` for the newest unfinished one; nothing to resume is a fresh run."""


@dataclass(frozen=True, slots=True)
class World:
    """What a run stands on; a simulation passes its own."""

    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.SystemRandom)
    offload: Offload = field(default_factory=Threads)
    policy: RetryPolicy = POLICY
    secrets: Secrets | None = None
    """None: those that the configuration refers to"""
    connector: Connector = TCPConnector


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has been given its pulls."""

    run: Run
    pulls: Sequence[Pull]
    state: Path
    """The folder of its journals."""
    again: bool
    """Whether an earlier process may have settled some of the pulls."""
    journaled: bool
    """Whether the run's journal holds its plan already."""


async def harvest(
    config: Config, order: Order | None = None, *, observe: Observer = silent, world: World | None = None
) -> Json:
    """Run once, and return the run's manifest, which lies in the sink as well.

    Raises `ConfigError`, `UsageError`, `LockedError`, and `SinkError` when the disk or the store failed.
    """
    order, world = order or Order(), world or World()
    with lock(config.state.path):
        sink = open_sink(config, world.offload)
        recovered = _recovered(config, order)
        pulls = _pulls(config, order, recovered)
        await sink.open()
        run = recovered.run if recovered else Run(_fresh_id(config, order, sink, world), world.clock.wall())
        await sweep(config.state.path, sink, run, world.clock.wall(), observe)
        if order.mode == "incremental" and not recovered:
            every = config.run.full_every
            marks = Marks(sink, config.providers, config.applications, run.started, every)
            pulls = marks.incremental(pulls, observe, order.since)
        again = recovered is not None
        begun = Begun(run, pulls, config.state.path, again=again, journaled=again)
        async with wired(config, observe, world) as wiring:
            return await carry_through(config, begun, sink, wiring, observe, world)


@asynccontextmanager
async def wired(
    config: Config, observe: Observer, world: World, *, turn: Turn | None = None, spare: Spare | None = None
) -> AsyncIterator[Wiring]:
    """The wiring of a run in this world."""
    async with wire(
        config,
        observe=observe,
        clock=world.clock,
        rng=world.rng,
        secrets=world.secrets or Secrets(folder=config.path.parent),
        offload=world.offload,
        policy=world.policy,
        connector=world.connector,
        turn=turn,
        spare=spare,
    ) as wiring:
        yield wiring


async def carry_through(
    config: Config, begun: Begun, sink: Sink, wiring: Wiring, observe: Observer, world: World
) -> Json:
    """Do what is left of a run's pulls, and return the run's manifest. The caller holds the lock."""
    run, pulls = begun.run, begun.pulls
    earlier = await _already_committed(sink, run, pulls) if begun.again else []
    rest = [pull for pull in pulls if pull.key not in {outcome.pull.key for outcome in earlier}]
    todo = plan(rest, config.providers, lambda pull: _size(sink, pull))
    shared = Harvest(
        run,
        sink,
        world.clock,
        observe,
        config.sink.require,
        journals=pages_folder(begun.state, run),
        guards=config.guards,
        shape=f"{config.sink.compression}, parts of {config.sink.part_size} bytes",
        dialects=Dialects(config.state.path / "dialects", world.offload),
        resumed=begun.again,
    )
    journal = Journal(runs_folder(begun.state), run.id)
    try:
        if not begun.journaled:
            journal.begin(run, config.name, pulls)
        manifest = await _carry_out(config, shared, todo, journal, earlier, wiring)
    finally:
        journal.close()
    if manifest["committed"] + manifest["held"] == manifest["pulls"]:
        await clear(begun.state, sink, run)
    return manifest


def pulls_of(config: Config, order: Order) -> list[Pull]:
    """What a run would be about: for a progress bar, and to see that a selection means something."""
    return _pulls(config, order, _recovered(config, order))


def run_id_of(config: Config, order: Order, world: World) -> str:
    """The id that a run will have: that of the one it resumes, the one it is given, or a new one."""
    recovered = _recovered(config, order)
    return recovered.run.id if recovered else order.run_id or new_run_id(world)


async def _carry_out(
    config: Config,
    shared: Harvest,
    todo: Plan,
    journal: Journal,
    earlier: Sequence[Outcome],
    wiring: Wiring,
) -> Json:
    run, sink, clock = shared.run, shared.sink, shared.clock
    before = wiring.statistics()

    async def run_job(job: Job) -> list[Outcome]:
        return await run_pulls(shared, partial(wiring.access, job.pulls[0]), job.pulls)

    supervised = await supervise(
        todo.jobs,
        run_job,
        workers={name: _workers(config, name) for name in todo.jobs},
        settled=lambda outcome: journal.settle(outcome.pull, outcome.state),
        max_duration=None if wiring.deadline is None else max(0.0, wiring.deadline - clock.now()),
    )
    manifest = run_manifest(
        run=run,
        name=config.name,
        finished=clock.wall(),
        outcomes=[*earlier, *supervised.outcomes],
        ending=supervised.ending,
        applications=_counted(before, wiring.statistics()),
        scrub=wiring.secrets.scrub,
    )
    if supervised.failure is not None:
        raise supervised.failure
    await sink.close_run(run, manifest)
    return manifest


def _counted(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What governors counted since: those of a backfill serve one run after another."""
    counts = ("sent", "answered", "throttled", "failed")
    return {
        name: {
            key: value - before[name][key] if name in before and key in counts else value
            for key, value in counted.items()
        }
        for name, counted in after.items()
    }


def _recovered(config: Config, order: Order) -> Recovered | None:
    for given in (order.run_id, order.resume):
        if given is not None and not RUN_ID.fullmatch(given):
            raise UsageError(
                f"{given[:40]!r} can't be a run's id",
                advice="Letters, digits, `.`, `-` and `_`, 128 at most, a letter or digit first.",
            )
    if order.resume is None:
        return None
    folder = runs_folder(config.state.path)
    return next(unfinished(folder), None) if order.resume == "newest" else recover(folder, order.resume)


def _fresh_id(config: Config, order: Order, sink: Sink, world: World) -> str:
    """An id names one run: a second one would write over the first one's manifest and mix their journals."""
    if order.run_id is None:
        while _known(config, sink, run := new_run_id(world)):
            pass  # within one second, and with the same dice
        return run
    if _known(config, sink, order.run_id):
        raise UsageError(
            f"there is a run {order.run_id} already",
            advice=f"Give this one another --run-id, or go on with that one: --resume {order.run_id}.",
        )
    return order.run_id


def _known(config: Config, sink: Sink, run: str) -> bool:
    try:
        begun = (runs_folder(config.state.path) / f"{run}.journal").exists()
    except OSError as error:
        raise disk_error(error, "state folder") from None
    return begun or sink.finished(run) is not None


def _pulls(config: Config, order: Order, recovered: Recovered | None) -> list[Pull]:
    """What is to be pulled: as selected, or as the run that is resumed had set out to."""
    if recovered is None:
        return select(config.tenants, config.applications, config.providers, order.selection)
    must_be_there(config, recovered.pulls, f"run {recovered.run.id}", "start a fresh run without --resume")
    return recovered.pulls


def must_be_there(config: Config, pulls: Sequence[Pull], who: str, instead: str) -> None:
    """Raise `UsageError` if what was begun with another configuration can't be gone on with."""
    tenants = {tenant.id: tenant.application for tenant in config.tenants}
    for pull in pulls:
        if tenants.get(pull.tenant) != pull.application:
            raise UsageError(
                f"{who} pulls {pull.key} through {pull.application!r}, which the configuration no longer has",
                advice=f"Put the tenant back, or {instead}.",
            )


async def _already_committed(sink: Sink, run: Run, pulls: Sequence[Pull]) -> list[Outcome]:
    """What the sink holds of a run that is resumed: manifests are the truth about commits."""
    found: list[Outcome] = []
    for pull in pulls:
        manifest = sink.committed(pull, run)
        if manifest is not None:
            await sink.point(pull, run, manifest)
            found.append(Outcome(pull, "committed", manifest, place=sink.place(pull, run)))
            continue
        held = sink.held(pull, run)
        if held is not None:
            found.append(Outcome(pull, "held", held))
    return found


def _size(sink: Sink, pull: Pull) -> int | None:
    newest = sink.current(pull)
    return None if newest is None else int(newest["records"])


def _workers(config: Config, application: str) -> int:
    limits = config.applications[application].limits
    provider = config.providers[config.applications[application].provider]
    concurrency = limits.concurrency or provider.limits.concurrency or DEFAULT_CONCURRENCY
    return min(MOST_WORKERS, 2 * concurrency)


def new_run_id(world: World) -> str:
    """`20261120T020000Z-7f3a9c`: UTC start and a random tail."""
    start = datetime.fromtimestamp(world.clock.wall(), UTC)
    return f"{start:%Y%m%dT%H%M%SZ}-{world.rng.getrandbits(24):06x}"
