"""Carrying out a run for a terminal or a scheduler: progress, log, report, exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import orjson

from harvester.config.load import Config
from harvester.events import Event
from harvester.harvest import Order, World, harvest
from harvester.observe.logging import LogObserver, configure
from harvester.observe.progress import open_progress
from harvester.report import summary_table

NOTHING = 9


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for."""

    order: Order
    progress: str
    as_json: bool
    fail_on_empty: bool
    log_level: str


def carry_out(config: Config, request: Request) -> int:
    """Run, and print the report: on stderr for people, as JSON on stdout where asked for."""
    manifest = anyio.run(_run, config, request)
    if not manifest["pulls"]:
        print("harvester: the selection means no pull at all", file=sys.stderr)
        return NOTHING if request.fail_on_empty else 0
    print(summary_table(manifest), file=sys.stderr)
    if request.as_json:
        sys.stdout.buffer.write(orjson.dumps(manifest, option=orjson.OPT_APPEND_NEWLINE))
    return int(manifest["exit_code"])
