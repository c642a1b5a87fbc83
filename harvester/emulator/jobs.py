"""Automatic Rostering's side of a tenant: optimisation jobs with their requests and results."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

STATES = ("stopped", "stopped", "stopped", "running", "starting", "error")


@dataclass(frozen=True)
class Jobs:
    """Jobs of one tenant. A running one has the best result so far; a starting or failed one has none."""

    tenant: str
    seed: int
    count: int

    @cached_property
    def records(self) -> dict[str, bytes]:
        """Job id -> its record, as the listing has it."""
        rng = random.Random(f"{self.seed}/jobs/{self.tenant}")  # noqa: S311 - made up
        jobs = {}
        for i in range(self.count):
            job_id = f"{rng.getrandbits(64):016x}"
            state = STATES[i % len(STATES)]
            jobs[job_id] = _text(
                {"jobId": job_id, "statusCode": state, "created": f"2026-11-{i % 28 + 1:02d}T01:00:00Z"}
            )
        return dict(sorted(jobs.items()))

    def state(self, job_id: str) -> str | None:
        record = self.records.get(job_id)
        return None if record is None else str(json.loads(record)["statusCode"])

    def request(self, job_id: str) -> bytes:  # noqa: ARG002 - all ask the same
        """What the optimiser was asked."""
        return _text(
            {"employees": [{"id": f"e{i}", "hours": 37.5} for i in range(4)], "horizon": {"weeks": 6}}
        )

    def result(self, job_id: str) -> bytes:
        """The roster it found; the first job's names the job itself, as some versions of the API do."""
        shifts = [
            {"employee": f"e{i}", "start": f"2026-12-0{i + 1}T07:00:00+01:00", "hours": 7.50}
            for i in range(4)
        ]
        result: dict[str, Any] = {"score": -12.5, "shifts": shifts}
        if job_id == next(iter(self.records)):
            result = {"jobId": job_id, **result}
        return _text(result)


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
