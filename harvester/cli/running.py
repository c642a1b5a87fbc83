"""Carrying out a run for a terminal or a scheduler: progress, log, report, exit code."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import anyio
import orjson
import structlog

from harvester.config.load import Config
from harvester.config.secrets import Secrets
from harvester.errors import HarvesterError
from harvester.events import Event, Observer
from harvester.harvest import Order, World, harvest, pulls_of, run_id_of
from harvester.observe.logging import LogObserver, configure, forget
from harvester.observe.progress import open_progress
from harvester.observe.redact import Redactor
from harvester.report import summary_table
from harvester.sinks.durable import make_folders
from harvester.sinks.part import disk_error
from harvester.sinks.sink import Json

NOTHING = 9
LOGS = 200
"""Logs of runs that are kept in the state folder; one more removes the oldest."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for."""

    order: Order
    progress: Literal["auto", "plain", "json", "none"] = "auto"
    as_json: bool = False
    fail_on_empty: bool = False
    log_level: str = "info"


def carry_out(config: Config, request: Request) -> int:
    """Run, and print the report: on stderr for people, as JSON on stdout where asked for."""
    pulls = pulls_of(config, request.order)
    if not pulls:
        print("harvester: the selection means no pull at all", file=sys.stderr)
        return NOTHING if request.fail_on_empty else 0
    secrets = Secrets(folder=config.path.parent)
    world = World(secrets=secrets)
    order = replace(request.order, run_id=run_id_of(config, request.order, world))
    open_log(config, str(order.run_id), request.log_level, secrets)
    totals = Counter(pull.application for pull in pulls)
    with open_progress(request.progress, stream=sys.stderr, totals=totals) as progress, leaving(secrets):
        manifest = _run(config, order, both(progress, LogObserver()), world)
    print(summary_table(manifest), file=sys.stderr)
    if request.as_json:
        sys.stdout.buffer.write(orjson.dumps(manifest, option=orjson.OPT_APPEND_NEWLINE))
    return int(manifest["exit_code"])


def open_log(config: Config, name: str, level: str, secrets: Secrets) -> None:
    """`logs/NAME.ndjson` in the state folder; the oldest logs go."""
    folder = config.state.path / "logs"
    try:
        make_folders(folder)
    except OSError as error:
        raise disk_error(error, "state folder") from None
    configure(path=folder / f"{name}.ndjson", level=level, scrub=secrets.scrub)
    forget(folder, newest=LOGS)


@contextmanager
def leaving(secrets: Secrets) -> Iterator[None]:
    """Errors leave without a live secret in them; a bug of ours leaves its traceback in the log."""
    try:
        yield
    except HarvesterError as error:
        raise Redactor(secrets.scrub).error(error) from None
    except Exception:
        _log.error("run_crashed", exc_info=True)
        raise


def _run(config: Config, order: Order, observe: Observer, world: World) -> Json:
    async def run() -> Json:
        return await harvest(config, order, observe=observe, world=world)

    return anyio.run(run, backend_options={"use_uvloop": uvloop()})


def uvloop() -> bool:
    """Whether the `speed` extra is installed."""
    from importlib.util import find_spec

    return find_spec("uvloop") is not None


def both(progress: Observer, log: Observer) -> Observer:
    def observe(event: Event) -> None:
        progress(event)
        log(event)

    return observe
