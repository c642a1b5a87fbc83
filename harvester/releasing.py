"""Publishing pulls that were held, once a person has looked at them.

Each is published in one step, like a commit; the run's manifest is written last. Killed at any moment, what
was held is held or published, and doing it again finishes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from harvester.commit import timestamp
from harvester.errors import SinkError, UsageError
from harvester.model import Pull, Run
from harvester.sinks.sink import Json, Sink

HELD = 10
"""Exit code of a run that held something and failed nothing."""


@dataclass(frozen=True, slots=True)
class Held:
    """A pull of a run that waits for a person."""

    pull: Pull
    run: Run
    manifest: Json

    @property
    def why(self) -> str:
        return str(self.manifest["guard"])


def held_pulls(
    sink: Sink, run: Json, tenants: Sequence[str] = (), resources: Sequence[str] = ()
) -> list[Held]:
    """What a run held, of the tenants (globs) and resources that are named; of all if none are."""
    when = Run(run["run"], datetime.fromisoformat(run["started"]).timestamp())
    found: list[Held] = []
    for result in run["results"]:
        if result["state"] != "held":
            continue
        if tenants and not any(fnmatchcase(result["tenant"], one) for one in tenants):
            continue
        if resources and result["resource"] not in resources:
            continue
        names = ("provider", "application", "tenant", "resource", "mode")
        pull = Pull(*(result[name] for name in names))
        manifest = sink.held(pull, when) or sink.committed(
            pull, when
        )  # the second: a release that was cut off
        if manifest is None:
            raise SinkError("the held pull is gone", where=pull.key, advice="Pull it again.")
        found.append(Held(pull, when, manifest))
    return found


async def release(sink: Sink, run: Json, chosen: Sequence[Held], now: float) -> Json:
    """Publish what was chosen; the run's new manifest. `now`: seconds since the epoch."""
    for held in chosen:
        manifest = {**held.manifest, "released": held.manifest.get("released") or timestamp(now)}
        await sink.release(held.pull, held.run, manifest)
    places = {held.pull.key: sink.place(held.pull, held.run) for held in chosen}
    updated = _told(run, places)
    if chosen:
        await sink.close_run(chosen[0].run, updated)
    return updated


def _told(run: Json, places: Mapping[str, str]) -> dict[str, Any]:
    """The run's manifest with what was released as committed."""
    results = []
    for result in run["results"]:
        key = f"{result['tenant']}/{result['resource']}"
        if result["state"] == "held" and key in places:
            results.append({**result, "state": "committed", "path": places[key], "released": True})
        else:
            results.append(result)
    states = Counter(result["state"] for result in results)
    code = 0 if run["exit_code"] == HELD and not states["held"] else run["exit_code"]
    counts = {"committed": states["committed"], "held": states["held"], "exit_code": code}
    return {**run, **counts, "results": results}


def find_run(sink: Sink, run: str) -> Json:
    """A run's manifest. Raises `UsageError`."""
    for manifest in sink.runs():
        if manifest["run"] == run:
            return manifest
    raise UsageError(f"there is no run {run}", advice="`harvester runs CONFIG` lists them.")
