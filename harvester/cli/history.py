"""`harvester runs` and `harvester show`: what happened, for people and for scripts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvester.cli.options import Switch

if TYPE_CHECKING:
    from harvester.sinks.sink import Sink


def runs(config: Path, *, limit: int = 20, json: Switch = False) -> int:
    """List the runs that lie in the sink, newest first, and those that `run --resume` can go on with.

    Example: `harvester runs nightly.toml --limit 5`.

    Parameters
    ----------
    config
        The TOML file.
    limit
        How many, at most.
    json
        Print one JSON object a run.
    """
    from itertools import islice

    import orjson

    from harvester.build import open_sink
    from harvester.config.load import load
    from harvester.errors import UsageError
    from harvester.journal import unfinished
    from harvester.leftovers import runs_folder
    from harvester.offload import Threads
    from harvester.report import columns

    if limit < 0:
        raise UsageError(f"--limit {limit} is no number of runs", advice="Write 0 or more.")
    loaded = load(config)
    manifests = list(islice(open_sink(loaded, Threads()).runs(), limit))
    cut_short = list(islice(unfinished(runs_folder(loaded.state.path)), limit))
    if json:
        for manifest in manifests:
            brief = {key: value for key, value in manifest.items() if key != "results"}
            brief["resumable"] = any(one.run.id == manifest["run"] for one in cut_short)
            sys.stdout.buffer.write(orjson.dumps(brief, option=orjson.OPT_APPEND_NEWLINE))
        return 0
    for one in cut_short:
        print(
            f"unfinished: {one.run.id}, {one.settled} of {len(one.pulls)} pulls settled; "
            f"`harvester run {config} --resume {one.run.id}` goes on",
            file=sys.stderr,
        )
    if not manifests:
        print("no runs yet", file=sys.stderr)
        return 0
    head = ("RUN", "STARTED", "MODE", "SECONDS", "PULLS", "COMMITTED", "HELD", "FAILED", "RECORDS", "EXIT")
    rows = [head, *(_row(manifest) for manifest in manifests)]
    print("\n".join(columns(rows, right=frozenset(range(3, len(head))))))
    return 0


def _row(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        manifest["run"],
        manifest["started"][:19] + "Z",
        "+".join(sorted({result["mode"] for result in manifest["results"]})) or "-",
        f"{manifest['seconds']:.1f}",
        *(str(manifest[key]) for key in ("pulls", "committed", "held", "failed")),
        f"{manifest['records']:,}",
        str(manifest["exit_code"]),
    )


def show(config: Path, run: str | None = None, *, tenant: str | None = None, json: Switch = False) -> int:
    """Tell what one run did, pull by pull, and what each certificate means in words.

    Example: `harvester show nightly.toml`; `harvester show nightly.toml --tenant oslo`.

    Parameters
    ----------
    config
        The TOML file.
    run
        The run's id; the newest unless named.
    tenant
        Only this tenant's pulls, with their certificates in full.
    json
        Print the run's manifest as it lies.
    """
    import orjson

    from harvester.cli.telling import tell

    manifest = _find(config, run)
    if json:
        sys.stdout.buffer.write(orjson.dumps(manifest, option=orjson.OPT_APPEND_NEWLINE))
    else:
        print(tell(_sink(config), manifest, tenant))
    return 0


def _find(config: Path, run: str | None) -> Mapping[str, Any]:
    from harvester.errors import UsageError

    for manifest in _sink(config).runs():
        if run in (None, manifest["run"]):
            return manifest
    raise UsageError(
        f"there is no run {run}" if run else "there are no runs yet",
        advice="`harvester runs CONFIG` lists them.",
    )


def _sink(config: Path) -> Sink:
    from harvester.build import open_sink
    from harvester.config.load import load
    from harvester.offload import Threads

    return open_sink(load(config), Threads())
