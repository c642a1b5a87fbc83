"""The task tree of a run: every job, none able to take another down; ends cleanly, and resumably.

Each application has a few workers that share its queue, longest job first. What ends the run early (a signal,
the deadline, a full disk) cancels the tree once; every pull then removes what it had staged.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio
import structlog

from harvester.commit import Outcome
from harvester.errors import HarvesterError, QuotaError, SinkError
from harvester.plan import Job

RunJob = Callable[[Job], Awaitable[list[Outcome]]]
Ending = Literal["complete", "deadline", "sink", "SIGINT", "SIGTERM"]

_log = structlog.get_logger(__name__)


class UnexpectedError(HarvesterError):
    """A bug of ours in one pull. The others go on."""


@dataclass(slots=True)
class Supervised:
    """What became of a run."""

    outcomes: list[Outcome] = field(default_factory=list)
    ending: Ending = "complete"
    failure: SinkError | None = None


async def supervise(
    queues: Mapping[str, Sequence[Job]],
    run_job: RunJob,
    *,
    workers: Mapping[str, int],
    settled: Callable[[Outcome], None],
    max_duration: float | None = None,
) -> Supervised:
    """Run all jobs and return every pull's outcome, in the order in which they settled.

    `workers` says how many jobs of an application are in progress at once; `settled` hears of each outcome as
    it comes and may raise `SinkError`.
    """
    supervised = Supervised()
    done: set[str] = set()

    async def work(queue: Iterator[Job]) -> None:
        for job in queue:
            for outcome in await _guarded(run_job, job):
                settled(outcome)
                supervised.outcomes.append(outcome)
                done.add(outcome.pull.key)

    async def catch_disk(queue: Iterator[Job]) -> None:
        try:
            await work(queue)
        except SinkError as error:
            supervised.failure = supervised.failure or error
            supervised.ending = "sink"
            group.cancel_scope.cancel()

    with anyio.move_on_after(max_duration) as deadline:
        async with anyio.create_task_group() as group:
            group.start_soon(_heed_signals, supervised, group.cancel_scope)
            async with anyio.create_task_group() as jobs:
                for application, queue in queues.items():
                    shared = iter(queue)
                    for _ in range(min(workers[application], len(queue))):
                        jobs.start_soon(catch_disk, shared)
            group.cancel_scope.cancel()
    if deadline.cancelled_caught:
        supervised.ending = "deadline"
    _account_for_the_rest(supervised, queues, done)
    return supervised


async def _guarded(run_job: RunJob, job: Job) -> list[Outcome]:
    try:
        return await run_job(job)
    except SinkError:
        raise
    except Exception as error:  # noqa: BLE001 - one pull's bug is not the others'
        _log.error("pull_crashed", pull=job.pulls[0].key, exc_info=True)
        crash = UnexpectedError(
            f"unexpected {type(error).__name__}, a bug of ours",
            advice="The log has the traceback: report it.",
        )
        return [Outcome(pull, "failed", error=crash) for pull in job.pulls]


async def _heed_signals(supervised: Supervised, scope: anyio.CancelScope) -> None:
    """The first SIGINT or SIGTERM ends the run in order; a second one leaves at once."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for received in signals:
            supervised.ending = "SIGINT" if received == signal.SIGINT else "SIGTERM"
            break
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, signal.SIG_DFL)
    scope.cancel()


def _account_for_the_rest(
    supervised: Supervised, queues: Mapping[str, Sequence[Job]], done: set[str]
) -> None:
    """Every pull has an outcome: those cut short or never begun were interrupted."""
    why = {
        "deadline": "the run's deadline was reached",
        "sink": "the sink failed",
        "SIGINT": "interrupted",
        "SIGTERM": "terminated",
    }.get(supervised.ending, "not run")
    advice = "`--resume` goes on from here."
    error = (
        QuotaError(why, advice=advice)
        if supervised.ending == "deadline"
        else HarvesterError(why, advice=advice)
    )
    for queue in queues.values():
        for job in queue:
            supervised.outcomes += [
                Outcome(pull, "interrupted", error=error) for pull in job.pulls if pull.key not in done
            ]
