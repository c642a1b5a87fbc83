"""What `_current` names once a pull is committed: the newest full snapshot, and what continues it."""

from __future__ import annotations

from typing import Any

from harvester.model import PROVED, Run
from harvester.sinks.sink import Json


def pointed(now: Json | None, path: str, run: Run, manifest: Json) -> dict[str, Any] | None:
    """The pointer after a commit that lies in `path`; None where it stays as it is.

    An increment continues the chain only if it asks from no later than where the chain ends; any other is
    just a pull in the lake, as a backfill is. One that is not proved complete leaves the chain's end where it
    was, so that the next asks for the same time again. Committing the same pull again changes nothing.
    """
    entry = {
        "run": run.id,
        "started": run.started,
        "path": path,
        **{name: manifest[name] for name in ("records", "tombstones", "finished", "high_water_mark")},
    }
    if manifest["mode"] == "full":
        if now is not None and now["started"] > run.started:
            return None  # an old run that was resumed does not hide a newer snapshot
        kept = [] if now is None else [one for one in now["increments"] if one["started"] > run.started]
        verdict = manifest["certificate"]["verdict"]
        return {**entry, "mode": "full", "certificate": verdict, "increments": kept}
    if manifest["mode"] != "incremental" or now is None or run.started <= now["started"]:
        return None
    others = [one for one in now["increments"] if one["path"] != path]
    before = [one for one in others if one["started"] < run.started]
    reached = (before[-1] if before else now).get("high_water_mark")
    if reached is None or manifest["since"] > reached:
        return None
    if manifest["certificate"]["verdict"] not in PROVED:
        entry["high_water_mark"] = reached
    return {**now, "increments": sorted([*others, entry], key=lambda one: one["started"])}
