"""One run, from a configuration to its manifest: lock, plan, journal, supervise, report.

This is what `harvester run` does, callable without a terminal.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from harvester.build import open_sink, wire
from harvester.clock import Clock, SystemClock
from harvester.commit import Outcome
from harvester.config.load import Config
from harvester.config.secrets import Secrets
from harvester.errors import UsageError
from harvester.events import Observer, silent
from harvester.http.client import Connector, TCPConnector
from harvester.http.retry import POLICY, RetryPolicy
from harvester.journal import SETTLED, Journal, Recovered, recover, unfinished
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
        run = recovered.run if recovered else Run(order.run_id or new_run_id(world), world.clock.wall())
        pulls = _pulls(config, order, recovered)
        await sink.open()
        if recovered is None:
            _refuse_known(config, sink, run.id)
        await sweep(config.state.path, sink, run, world.clock.wall(), observe)
        if order.mode == "incremental" and not recovered:
            every = config.run.full_every
            marks = Marks(sink, config.providers, config.applications, run.started, every)
            pulls = marks.incremental(pulls, observe, order.since)
        earlier = await _already_committed(sink, run, pulls) if recovered else []
        rest = [pull for pull in pulls if pull.key not in {outcome.pull.key for outcome in earlier}]
        todo = plan(rest, config.providers, lambda pull: _size(sink, pull))
        shared = Harvest(
            run,
            sink,
            world.clock,
            observe,
            config.sink.require,
            journals=pages_folder(config.state.path, run),
            guards=config.guards,
            shape=f"{config.sink.compression}, parts of {config.sink.part_size} bytes",
            resumed=recovered is not None,
        )
        journal = Journal(runs_folder(config.state.path), run.id)
        try:
            if not recovered:
                journal.begin(run, config.name, pulls)
            return await _carry_out(config, shared, todo, journal, earlier, world)
        finally:
            journal.close()


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
    world: World,
) -> Json:
    run, sink = shared.run, shared.sink
    secrets = world.secrets or Secrets(folder=config.path.parent)
    async with wire(
        config,
        observe=shared.observe,
        clock=world.clock,
        rng=world.rng,
        secrets=secrets,
        offload=world.offload,
        policy=world.policy,
        connector=world.connector,
    ) as wiring:

        async def run_job(job: Job) -> list[Outcome]:
            return await run_pulls(shared, partial(wiring.access, job.pulls[0]), job.pulls)

        supervised = await supervise(
            todo.jobs,
            run_job,
            workers={name: _workers(config, name) for name in todo.jobs},
            settled=lambda outcome: journal.settle(outcome.pull, outcome.state),
            max_duration=config.run.max_duration,
        )
        applications = wiring.statistics()
    manifest = run_manifest(
        run=run,
        name=config.name,
        finished=world.clock.wall(),
        outcomes=[*earlier, *supervised.outcomes],
        ending=supervised.ending,
        applications=applications,
        scrub=secrets.scrub,
    )
    if supervised.failure is not None:
        raise supervised.failure
    await sink.close_run(run, manifest)
    if all(outcome.state in SETTLED for outcome in (*earlier, *supervised.outcomes)):
        await clear(config.state.path, sink, run)
    return manifest


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


def _refuse_known(config: Config, sink: Sink, run: str) -> None:
    """An id names one run: a second one would write over the first one's manifest and mix their journals."""
    try:
        known = (runs_folder(config.state.path) / f"{run}.journal").exists()
    except OSError as error:
        raise disk_error(error, "state folder") from None
    if known or sink.finished(run) is not None:
        raise UsageError(
            f"there is a run {run} already",
            advice=f"Give this one another --run-id, or go on with that one: --resume {run}.",
        )


def _pulls(config: Config, order: Order, recovered: Recovered | None) -> list[Pull]:
    """What is to be pulled: as selected, or as the run that is resumed had set out to."""
    if recovered is None:
        return select(config.tenants, config.applications, config.providers, order.selection)
    tenants = {tenant.id: tenant.application for tenant in config.tenants}
    for pull in recovered.pulls:
        if tenants.get(pull.tenant) != pull.application:
            raise UsageError(
                f"run {recovered.run.id} pulls {pull.key} through {pull.application!r}, "
                "which the configuration no longer has",
                advice="Put the tenant back, or start a fresh run without --resume.",
            )
    return recovered.pulls


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
