"""`harvester backfill`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from harvester.cli.options import Progress, Resources, Switch, Tenants, configured

if TYPE_CHECKING:
    from harvester.backfill_plan import Terms
    from harvester.config.load import Config
    from harvester.events import Event, Observer
    from harvester.sinks.sink import Json


def backfill(
    config: Path,
    *,
    since: Annotated[str | None, Parameter(name="--from")] = None,
    until: Annotated[str | None, Parameter(name="--to")] = None,
    window: str = "90d",
    tenant: Tenants = None,
    resource: Resources = None,
    resume: str | None = None,
    progress: Progress = "auto",
    json: Switch = False,
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> int:
    """Pull years of records in windows of time, behind the nightly runs, within the quotas, day by day.

    Each window is a run of its own, oldest first; `_current` is not touched. While a run holds the state
    folder the backfill stands still, and what runs use of a quota is left to them. It may be stopped at any
    moment: the same command goes on, and says so when the backfill has ended. Exit 8: go on tomorrow.

    Examples: `harvester backfill nightly.toml --from 2020-01-01 --to 2026-11-01 --window 90d`;
    `harvester backfill nightly.toml --resume`.

    Parameters
    ----------
    config
        The TOML file.
    since
        Records modified at this moment or later (a date, or ISO 8601; UTC unless it says otherwise).
    until
        Records modified before this moment, which lies in the past.
    window
        How long a window is: 90d, 12h.
    tenant
        Only tenants whose id matches this glob; may be repeated.
    resource
        Only this resource; may be repeated.
    resume
        Go on with the unfinished backfill, without saying again what it is about.
    progress
        Live table on a terminal and one line each 30 s elsewhere (auto); plain, json or none.
    json
        Print what it came to as one JSON object on stdout.
    log_level
        What goes into the log, `logs/backfill.ndjson` in the state folder.
    """
    import orjson

    from harvester.backfill import told

    loaded = configured(config)
    terms = _terms(since, until, window, tenant, resource, resume)
    came_to = _carry_out(loaded, terms, progress, log_level)
    print(told(came_to), file=sys.stderr)
    if json:
        sys.stdout.buffer.write(orjson.dumps(came_to, option=orjson.OPT_APPEND_NEWLINE))
    return int(came_to["exit_code"])


def _terms(
    since: str | None,
    until: str | None,
    window: str,
    tenant: list[str] | None,
    resource: list[str] | None,
    resume: str | None,
) -> Terms | None:
    from harvester.backfill_plan import Terms
    from harvester.config.units import parse_duration, parse_moment
    from harvester.errors import UsageError

    if resume is not None:
        if resume != "newest":
            raise UsageError("--resume takes no id here", advice="There is one unfinished backfill at most.")
        if since or until or tenant or resource:
            raise UsageError(
                "--resume goes on with what the backfill was begun with",
                advice="Give --resume alone, or the whole command as it was.",
            )
        return None
    if since is None or until is None:
        raise UsageError("from when, and until when?", advice="Give --from and --to, or --resume.")
    try:
        width = parse_duration(window)
    except ValueError as error:
        raise UsageError(f"--window {window!r} is no duration", advice=str(error)) from None
    return Terms(parse_moment(since), parse_moment(until), width, tuple(tenant or ()), tuple(resource or ()))


def _carry_out(config: Config, terms: Terms | None, progress: Progress, log_level: str) -> Json:
    import anyio

    from harvester.backfill import backfill
    from harvester.cli.running import both, leaving, open_log, uvloop
    from harvester.config.secrets import Secrets
    from harvester.harvest import World
    from harvester.observe.logging import LogObserver
    from harvester.observe.progress import open_progress

    secrets = Secrets(folder=config.path.parent)
    open_log(config, "backfill", log_level, secrets)
    with open_progress(progress, stream=sys.stderr, totals={}) as shown, leaving(secrets):
        observe = both(_say(shown, aloud=progress != "none"), LogObserver())

        async def run() -> Json:
            return await backfill(config, terms, observe=observe, world=World(secrets=secrets))

        return anyio.run(run, backend_options={"use_uvloop": uvloop()})


def _say(shown: Observer, *, aloud: bool) -> Observer:
    """Progress, and a line for each window."""
    from harvester.events import WindowEnded

    def observe(event: Event) -> None:
        shown(event)
        if aloud and isinstance(event, WindowEnded):
            state = "done" if event.done else "unfinished"
            time = f"{event.since[:16]} to {event.until[:16]}"
            print(
                f"window {event.number} of {event.windows}, {time}: {state}, "
                f"{event.records:,} records, {event.requests:,} requests",
                file=sys.stderr,
                flush=True,
            )

    return observe
