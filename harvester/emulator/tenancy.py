"""Who is emulated: tenants with their credentials and tables, the same for the same seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from harvester.emulator.jobs import Jobs
from harvester.emulator.roster import Roster, Row, Version
from harvester.emulator.school import School, Source

PROVIDERS: dict[str, Version] = {
    "flyt-oneroster": "v1p2",
    "flyt-skole": "v1p2",
    "classlink-proxy": "v1p1",
    "classlink-direct": "v1p1",
    "automatic-rostering": "v1p2",
    "oneroster-v1p1": "v1p1",
    "oneroster-v1p2": "v1p2",
}
"""Provider -> the version of its rosters."""


@dataclass
class EmulatedTenant:
    """One customer at one provider."""

    provider: str
    id: str
    seed: int
    rows: int
    source: Source | None = None
    """Given records instead of a synthetic roster."""
    changed: list[str] = field(default_factory=list)

    @cached_property
    def school(self) -> School:
        return School(self.source or Roster(self.id, self.seed, self.rows, PROVIDERS[self.provider]))

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.id, self.seed, max(3, self.rows // 20))

    def collection(self, name: str) -> list[Row]:
        return self.school.rows(name) or []

    @property
    def guid(self) -> str:
        """The vendor's id of the customer."""
        return str(UUID(bytes=self._digest("guid")[:16], version=4))

    def secret(self, name: str) -> str:
        """A made-up secret, with the characters that careless encoders break."""
        return f"{self._digest(name).hex()[:20]}+/%:= ~".rstrip()

    def _digest(self, name: str) -> bytes:
        return hashlib.sha256(f"{self.seed}/{self.provider}/{self.id}/{name}".encode()).digest()
