"""`harvester run` and `harvester plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harvester.cli.options import Progress, Resources, Switch, Tenants, configured

if TYPE_CHECKING:
    from harvester.plan import Selection


def run(
    config: Path,
    *,
    tenant: Tenants = None,
    resource: Resources = None,
    full: Switch = False,
    incremental: Switch = False,
    since: str | None = None,
    resume: str | None = None,
    run_id: str | None = None,
    shard: str | None = None,
    progress: Progress = "auto",
    json: Switch = False,
    fail_on_empty: Switch = False,
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> int:
    """Harvest: one run over all tenants of CONFIG, or over some.

    Examples: `harvester run nightly.toml`; `harvester run nightly.toml --tenant 'oslo*' --resource users`;
    `harvester run nightly.toml --resume` goes on where the last unfinished run was cut short;
    `harvester run nightly.toml --incremental` pulls what changed since the last one.

    Parameters
    ----------
    config
        The TOML file.
    tenant
        Only tenants whose id matches this glob; may be repeated.
    resource
        Only this resource; may be repeated.
    full
        Pull everything: the default.
    incremental
        Pull what changed since the last committed pull, where a full one was proved complete before; in full
        otherwise, and each `run.full_every` (7 days).
    since
        Pull what changed since this moment (ISO 8601, UTC unless it says otherwise); implies --incremental.
    resume
        Go on with this run, or with the newest unfinished one if no id follows.
    run_id
        The run's id, for schedulers that have one; refused if it is taken. Made from the time otherwise.
    shard
        K/N: only the K-th of N parts of the tenants, to split a night over several machines.
    progress
        Live table on a terminal and one line each 30 s elsewhere (auto); plain, json or none.
    json
        Print the run's manifest as one JSON object on stdout.
    fail_on_empty
        Exit with 9 if the selection means no pull at all.
    log_level
        What goes into the log, `logs/RUN.ndjson` in the state folder, RUN being the run's id.
    """
    from harvester.cli.running import Request, carry_out
    from harvester.config.units import parse_moment
    from harvester.harvest import Order

    order = Order(
        _selection(tenant, resource, shard),
        run_id=run_id,
        mode=_mode(full=full, incremental=incremental or since is not None, resume=resume),
        since=None if since is None else parse_moment(since),
        resume=resume,
    )
    return carry_out(
        configured(config),
        Request(order, progress, as_json=json, fail_on_empty=fail_on_empty, log_level=log_level),
    )


def plan(
    config: Path,
    *,
    tenant: Tenants = None,
    resource: Resources = None,
    shard: str | None = None,
    probe: Switch = False,
    json: Switch = False,
) -> int:
    """Show what a run would do and cost: pulls, pages, requests, quota, minutes. Touches no provider.

    Sizes are those of the newest snapshots. Example: `harvester plan nightly.toml --probe`.

    Parameters
    ----------
    config
        The TOML file.
    tenant
        Only tenants whose id matches this glob; may be repeated.
    resource
        Only this resource; may be repeated.
    shard
        K/N: only the K-th of N parts of the tenants.
    probe
        Ask each provider for the size of what has no snapshot yet (one record each).
    json
        Print JSON.
    """
    from harvester.cli.planning import show_plan

    return show_plan(configured(config), _selection(tenant, resource, shard), probe=probe, as_json=json)


def _selection(tenant: list[str] | None, resource: list[str] | None, shard: str | None) -> Selection:
    from harvester.plan import Selection, parse_shard

    return Selection(tuple(tenant or ()), tuple(resource or ()), parse_shard(shard) if shard else None)


def _mode(*, full: bool, incremental: bool, resume: str | None) -> Literal["full", "incremental"]:
    from harvester.errors import UsageError

    if full and incremental:
        raise UsageError("--full and --incremental exclude each other", advice="Leave one out.")
    if resume is not None and (full or incremental):
        raise UsageError(
            "a run is resumed in the mode in which it began", advice="Leave --full or --incremental out."
        )
    return "incremental" if incremental else "full"
