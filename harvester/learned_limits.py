"""What was learned of each application's hidden limits, in the state folder: the next night begins with it.

One small file an application, written aside and renamed. One that can't be read is no memory, and no error.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import msgspec
import orjson

from harvester.offload import Offload
from harvester.pacing.learning import Learned
from harvester.sinks.durable import put

SCHEMA_VERSION = 1
KEEP = 30 * 86_400.0
"""Seconds for which what was learned is a good beginning."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    schema_version: int
    about: str
    found: float
    rate: float | None
    refused_at: int | None


class LearnedLimits:
    """The memory of one state folder."""

    def __init__(self, folder: Path, offload: Offload) -> None:
        """`folder` is made with the first thing to remember."""
        self._folder = folder
        self._offload = offload

    async def recall(self, application: str, about: str, now: float) -> Learned | None:
        """What an earlier run learned within the last 30 days. `now`: seconds since the epoch.

        `about`: the provider and the client; another one has other limits.
        """
        try:
            entry = msgspec.json.decode(await self._offload(self._path(application).read_bytes), type=_Entry)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        known = (entry.schema_version, entry.about) == (SCHEMA_VERSION, about)
        sane = (entry.rate is None or 0.0 < entry.rate < 1e9) and (entry.refused_at or 1) > 0
        if not known or not sane or not 0.0 <= now - entry.found < KEEP:
            return None
        return Learned(entry.rate, entry.refused_at)

    async def remember(self, application: str, about: str, now: float, learned: Learned) -> None:
        """Keep what was learned, if anything was. A disk that does not take it is met where it matters."""
        if learned == Learned():
            return
        entry = {"schema_version": SCHEMA_VERSION, "about": about, "found": now, **asdict(learned)}
        try:
            data = orjson.dumps(entry)
            await self._offload(lambda: put(self._path(application), data, aside=self._folder))
        except OSError:
            return

    def _path(self, application: str) -> Path:
        return self._folder / f"{application}.json"
