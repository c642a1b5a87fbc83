"""What `plan` says: pulls, pages, requests, quota and minutes, from the sizes of the newest snapshots."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import anyio
import orjson

from harvester.build import open_sink, wire
from harvester.clock import SystemClock
from harvester.config.load import Config
from harvester.config.secrets import Secrets
from harvester.errors import HarvesterError
from harvester.events import silent
from harvester.harvest import World
from harvester.model import Pull
from harvester.observe.logging import configure
from harvester.observe.redact import Redactor
from harvester.offload import Threads
from harvester.plan import UNKNOWN_LATENCY, Estimate, Selection, estimate, plan, select
from harvester.probe import count_records
from harvester.report import columns


def show_plan(config: Config, selection: Selection, *, probe: bool, as_json: bool) -> int:
    """Print the plan. Asks providers for sizes with `probe` alone."""
    pulls = select(config.tenants, config.applications, config.providers, selection)
    sink = open_sink(config, Threads())
    newest = {pull.key: sink.current(pull) for pull in pulls}
    sizes = {key: None if manifest is None else int(manifest["records"]) for key, manifest in newest.items()}
    if probe:
        unknown = [pull for pull in pulls if sizes[pull.key] is None]
        sizes |= anyio.run(_probe, config, unknown)
    planned = plan(pulls, config.providers, lambda pull: sizes[pull.key])
    estimates = estimate(planned, config.applications, config.providers)
    if as_json:
        jobs = [{**asdict(pull), "expected_records": sizes[pull.key]} for pull in planned.pulls]
        whole = {"applications": [asdict(e) for e in estimates], "pulls": jobs}
        sys.stdout.buffer.write(orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE))
        return 0
    print(_table(estimates))
    return 0


async def _probe(config: Config, pulls: Sequence[Pull]) -> Mapping[str, int | None]:
    world = World(clock=SystemClock())
    found: dict[str, int | None] = {}
    secrets = Secrets(folder=config.path.parent)
    redactor = Redactor(secrets.scrub)
    configure(path=None, level="warning", scrub=secrets.scrub)
    async with wire(
        config, observe=silent, clock=world.clock, rng=world.rng, secrets=secrets, offload=world.offload
    ) as wiring:

        async def count(pull: Pull) -> None:
            try:
                found[pull.key] = await count_records(await wiring.access(pull), pull)
            except HarvesterError as error:
                print(f"harvester: {redactor.error(error)}", file=sys.stderr)

        async with anyio.create_task_group() as group:
            for pull in pulls:
                group.start_soon(count, pull)
    return found


def _table(estimates: Sequence[Estimate]) -> str:
    head = ("APPLICATION", "PROVIDER", "PULLS", "RECORDS", "PAGES", "REQUESTS", "MINUTES", "OF DAILY QUOTA")
    rows = [head]
    rows += [
        (
            e.application,
            e.provider,
            f"{e.pulls:,}",
            "unknown" if e.records is None else f"{e.records:,}",
            f"{e.pages:,}" + ("+" if e.unknown else ""),
            f"{e.requests:,}" + ("+" if e.unknown else ""),
            f"{e.minutes:.1f}",
            f"{100 * e.requests / e.daily_quota:.0f} %" if e.daily_quota else "-",
        )
        for e in estimates
    ]
    lines = columns(rows, right=frozenset(range(2, len(head))))
    if any(e.unknown for e in estimates):
        lines.append("")
        lines.append("+ pulls without a snapshot are counted as one page; --probe asks their providers")
    if any(e.guessed for e in estimates):
        lines.append(f"where no rate is declared, minutes assume {UNKNOWN_LATENCY} s a request")
    longest = max((e.minutes for e in estimates), default=0.0)
    lines.append(f"applications run side by side: about {longest:.1f} minutes")
    return "\n".join(lines)
