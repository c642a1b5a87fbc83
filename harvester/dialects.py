"""What was found out about each source, kept in the state folder so that a nightly pull need not ask again.

One small file a source, written aside and renamed. A file that can't be read is no memory, and no error: what
was forgotten is found out again. What a pull contradicts is remembered as not proved, so that the next night
does not try in vain; after a week everything is found out anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from harvester.model import Pull
from harvester.offload import Offload
from harvester.paging.collations import COLLATIONS
from harvester.paging.keyset import Proof
from harvester.sinks.durable import put

SCHEMA_VERSION = 1
KEEP = 7 * 86_400.0
"""Seconds for which what was found out is believed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a source's filter and sort."""

    proof: Proof | None
    why: str = ""
    """Why there is no proof."""


class Dialects:
    """The memory of one state folder."""

    def __init__(self, folder: Path, offload: Offload) -> None:
        """`folder` is made with the first thing to remember."""
        self._folder = folder
        self._offload = offload

    async def recall(self, pull: Pull, asked: str, now: float) -> Finding | None:
        """What is known of a source, if it was found out within the last week for the same requests.

        `asked`: what the configuration says of them; `now`: seconds since the epoch.
        """
        try:
            entry = orjson.loads(await self._offload(self._path(pull).read_bytes))
            about = (entry["schema_version"], entry["application"], entry["asked"])
            if about != (SCHEMA_VERSION, pull.application, asked) or not 0 <= now - entry["found"] < KEEP:
                return None
            proof = None if entry["proof"] is None else Proof(**entry["proof"])
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if proof is not None and proof.collation not in COLLATIONS:
            return None
        return Finding(proof, entry["why"])

    async def remember(self, pull: Pull, asked: str, now: float, finding: Finding) -> None:
        """Keep what was found out. A disk that does not take it is met again where it matters."""
        entry: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "application": pull.application,
            "asked": asked,
            "found": now,
            "proof": None if finding.proof is None else asdict(finding.proof),
            "why": finding.why,
        }
        try:
            data = orjson.dumps(entry)
            await self._offload(lambda: put(self._path(pull), data, aside=self._folder))
        except OSError:
            return

    def _path(self, pull: Pull) -> Path:
        return self._folder / f"{pull.provider}.{pull.resource}.{pull.tenant}.json"
