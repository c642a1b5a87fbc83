"""From when on must a pull ask? Turns full pulls into incremental ones, where that loses nothing.

The chain of marks: a full pull that was committed with a proof, then increments, each asking from the mark
that the one before it was committed with. Only what is named in `_current` counts, so an increment that was
held or never finished is asked for again by the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harvester.events import Notice, Observer
from harvester.model import PROVED, Application, Pull
from harvester.providers.dialect import Provider
from harvester.sinks.sink import Sink
from harvester.spelling import combinable


@dataclass(frozen=True, slots=True)
class Marks:
    """What the choice rests on."""

    sink: Sink
    providers: Mapping[str, Provider]
    applications: Mapping[str, Application]
    now: float
    """seconds since the epoch"""
    full_every: float
    """seconds after which a full pull is due: deletions that leave no tombstone show in no increment"""

    def incremental(self, pulls: Sequence[Pull], observe: Observer, since: str | None = None) -> list[Pull]:
        """The same pulls, incremental where they can be; the others stay full, and it is said why.

        `since`: ask from there instead of from each pull's own mark.
        """
        chosen: list[Pull] = []
        reasons: dict[str, list[str]] = {}
        for pull in pulls:
            why, mark = self._mark(pull)
            if mark is None:
                reasons.setdefault(why, []).append(pull.key)
                chosen.append(pull)
            else:
                chosen.append(replace(pull, mode="incremental", since=since or mark))
        for why, keys in reasons.items():
            observe(Notice(f"{len(keys)} pulls are full ones: {why}", keys[0]))
        return chosen

    def _mark(self, pull: Pull) -> tuple[str, str | None]:
        """Why a pull must be full, or from when on it may ask."""
        if not self.providers[pull.provider].dates(pull.resource):
            return "the resource can't be asked for what changed", None
        if not combinable(self.applications[pull.application]):
            return "the configured filter has an OR, which can't be narrowed by dates", None
        pointer = self.sink.pointer(pull)
        base = None if pointer is None else self.sink.manifest(pointer["path"])
        if pointer is None or base is None:
            return "no full pull was published before", None
        if base["certificate"]["verdict"] not in PROVED:
            return f"the last full pull is not {' or '.join(PROVED)}", None
        if self.now - pointer["started"] >= self.full_every:
            return f"the last full pull is {self.full_every / 86_400:g} days old", None
        increments = pointer.get("increments", ())
        mark = increments[-1]["high_water_mark"] if increments else base["high_water_mark"]
        return "the server did not state its clock", mark
