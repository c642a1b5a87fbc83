"""The task tree: a failing pull touches no other, and every pull has an outcome however the run ends."""

from __future__ import annotations

import anyio
import pytest

from harvester.commit import Outcome
from harvester.errors import (
    AuthError,
    HarvesterError,
    ProviderError,
    RefusedError,
    SecretError,
    SinkError,
    UnreachableError,
)
from harvester.model import Pull
from harvester.plan import Job
from harvester.report import exit_code
from harvester.supervisor import Ending, Supervised, UnexpectedError, supervise

pytestmark = pytest.mark.anyio
JOBS = [Job((Pull("p", "a", f"t{i}", "users"),), None) for i in range(20)]


async def run(work: dict[str, Exception], *, deadline: float | None = None, slow: float = 0.0) -> Supervised:
    async def run_job(job: Job) -> list[Outcome]:
        await anyio.sleep(slow)
        error = work.get(job.pulls[0].tenant)
        if isinstance(error, ProviderError):
            return [Outcome(job.pulls[0], "failed", error=error)]
        if error is not None:
            raise error
        return [Outcome(job.pulls[0], "committed")]

    return await supervise(
        {"a": JOBS}, run_job, workers={"a": 3}, settled=lambda _o: None, max_duration=deadline
    )


def states(supervised: Supervised) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome in supervised.outcomes:
        found[outcome.state] = found.get(outcome.state, 0) + 1
    return found


async def test_a_failing_pull_touches_no_other() -> None:
    supervised = await run({"t3": RefusedError("no", status=404)})
    assert states(supervised) == {"committed": 19, "failed": 1}
    assert exit_code(supervised.outcomes, supervised.ending) == 3


async def test_a_bug_in_one_pull_is_its_own_and_the_run_says_1() -> None:
    supervised = await run({"t3": KeyError("x")})
    assert states(supervised) == {"committed": 19, "failed": 1}
    assert exit_code(supervised.outcomes, supervised.ending) == 1


async def test_a_failing_disk_ends_the_run_and_every_pull_has_an_outcome() -> None:
    supervised = await run({"t3": SinkError("full")})
    assert supervised.ending == "sink"
    assert isinstance(supervised.failure, SinkError)
    assert len(supervised.outcomes) == len(JOBS)
    assert exit_code(supervised.outcomes, supervised.ending) == 7


async def test_at_the_deadline_the_rest_is_interrupted() -> None:
    supervised = await run({}, deadline=0.05, slow=0.03)
    assert supervised.ending == "deadline"
    assert states(supervised)["interrupted"] >= 14
    assert len(supervised.outcomes) == len(JOBS)
    assert exit_code(supervised.outcomes, supervised.ending) == 8


def failed(*errors: HarvesterError) -> list[Outcome]:
    return [
        Outcome(Pull("p", "a", f"t{i}", "users"), "failed", error=error) for i, error in enumerate(errors)
    ]


@pytest.mark.parametrize(
    ("outcomes", "ending", "code"),
    [
        ([Outcome(JOBS[0].pulls[0], "committed")], "complete", 0),
        ([Outcome(JOBS[0].pulls[0], "held")], "complete", 10),
        (failed(UnexpectedError("bug")), "complete", 1),
        (failed(AuthError("no"), AuthError("no")), "complete", 6),
        (failed(AuthError("no"), UnreachableError("gone")), "complete", 5),
        (failed(UnreachableError("gone")), "complete", 5),
        (failed(SecretError("none")), "complete", 2),
        (failed(RefusedError("no", status=404)), "complete", 3),
        ([*failed(AuthError("no")), Outcome(JOBS[0].pulls[0], "committed")], "complete", 3),
        ([*failed(AuthError("no")), Outcome(JOBS[0].pulls[0], "held")], "complete", 3),
        ([Outcome(JOBS[0].pulls[0], "interrupted")], "complete", 8),
        ([], "complete", 0),
        ([], "SIGINT", 130),
        ([], "SIGTERM", 143),
        ([], "sink", 7),
        ([], "deadline", 8),
    ],
)
def test_the_exit_code_says_how_a_run_ended(outcomes: list[Outcome], ending: Ending, code: int) -> None:
    assert exit_code(outcomes, ending) == code
