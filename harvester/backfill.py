"""Years of records, in windows of time: each window a run of its own, one after another, behind the nights'.

A backfill has a lock of its own, so a run can start while it works; then it stands still. It may be stopped
at any moment, by whatever, and the same command goes on: its file knows the windows, the windows' journals
know the pages, and the sink knows what is committed. `_current` is never touched.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anyio

from harvester.backfill_plan import GIVE_UP, Course, CourseFile, Ended, Span, Terms, courses, cut, path_of
from harvester.build import Wiring, open_sink
from harvester.clock import Clock
from harvester.commit import timestamp
from harvester.config.load import Config
from harvester.errors import UsageError
from harvester.events import Notice, Observer, WindowEnded, silent
from harvester.harvest import Begun, World, carry_through, must_be_there, new_run_id, wired
from harvester.journal import SETTLED, recover
from harvester.leftovers import runs_folder, sweep
from harvester.lock import Watch, lock
from harvester.model import Pull, Run
from harvester.plan import Selection, select
from harvester.sinks.sink import Json, Sink
from harvester.sparing import Sparing
from harvester.spelling import combinable

FOLDER = "backfill"
"""Below the state folder: the lock, the plans and the journals of backfills."""
LOOK = 1.0
"""Seconds between two looks at whether the run that goes first has ended."""
GO_ON = frozenset({0, 1, 3, 10})
"""Exit codes of a window after which the next one is worth a try."""
QUOTA = 8


class GiveWay:
    """Lets runs go first: nothing is requested while one holds the state folder."""

    def __init__(self, watch: Watch, clock: Clock, rng: random.Random, observe: Observer) -> None:
        self._watch = watch
        self._clock = clock
        self._rng = rng
        self._observe = observe
        self._still = False

    async def __call__(self) -> None:
        while self._watch.held():
            if not self._still:
                self._still = True
                self._observe(Notice("the backfill stands still while a run holds the state folder"))
            # Not all at once again: those that wait here have their permits already.
            await self._clock.sleep(LOOK * (0.5 + self._rng.random()))
        if self._still:
            self._still = False
            self._observe(Notice("the run has ended: the backfill goes on"))


async def backfill(
    config: Config, terms: Terms | None, *, observe: Observer = silent, world: World | None = None
) -> Json:
    """Begin the backfill of these terms, or go on with it; None means the one that is unfinished.

    Returns what it came to, with an `exit_code`. Raises `ConfigError`, `UsageError`, `LockedError`, and
    `SinkError` when the disk or the store failed.
    """
    world = world or World()
    if config.sink.url == "-":
        raise UsageError("a backfill needs a sink that stays", advice="Name a folder as the sink.")
    if terms is not None:
        _check_time(terms, world)
    folder = config.state.path / FOLDER
    with lock(folder):
        course = _found(folder, terms)
        fresh = course is None
        if course is None:
            assert terms is not None
            course = Course(new_run_id(world), terms, pulls_of(config, terms, observe))
        if course.over:
            return summary(course, 0)
        must_be_there(
            config,
            course.pulls,
            f"backfill {course.id}",
            f"remove {path_of(folder, course.id)} to give it up",
        )
        file, watch = CourseFile(folder, course), Watch(config.state.path)
        try:
            if fresh:
                file.begin()
            return await _Backfill(config, folder, course, file, observe, world).run(watch)
        finally:
            watch.close()
            file.close()


def pulls_of(config: Config, terms: Terms, observe: Observer) -> list[Pull]:
    """What can be asked for by date. Raises `UsageError` if nothing can; what can't beside it is named."""
    selection = Selection(terms.tenants, terms.resources)
    pulls = select(config.tenants, config.applications, config.providers, selection)
    if not pulls:
        raise UsageError("the selection means no pull at all", advice="Look at --tenant and --resource.")
    able = [
        pull
        for pull in pulls
        if config.providers[pull.provider].dates(pull.resource)
        and combinable(config.applications[pull.application])
    ]
    names = sorted({f"{pull.provider}/{pull.resource}" for pull in set(pulls) - set(able)})
    what = f"can't be asked for by date, so not backfilled: {', '.join(names)}"
    if not able:
        raise UsageError(what, advice="A full `harvester run` is the only way to them.")
    if names:
        observe(Notice(what))
    return able


def _check_time(terms: Terms, world: World) -> None:
    cut(terms.since, terms.until, terms.width)
    now = timestamp(world.clock.wall())
    if terms.until > now:
        raise UsageError(
            f"the time up to {terms.until} is not over yet",
            advice="Let --to lie in the past; incremental runs pull what comes after it.",
        )


def _found(folder: Path, terms: Terms | None) -> Course | None:
    """The backfill to go on with. Raises `UsageError` where another one stands in the way."""
    known = list(courses(folder))
    unfinished = next((course for course in known if not course.over), None)
    if unfinished is not None and terms not in (None, unfinished.terms):
        done = sum(ended.done for ended in unfinished.ended.values())
        raise UsageError(
            f"backfill {unfinished.id} is unfinished ({done} of {len(unfinished.windows)} windows done)",
            where=str(path_of(folder, unfinished.id)),
            advice=f"Go on with it by --resume; it was begun with {unfinished.terms.words()}. {GIVE_UP}",
        )
    if unfinished is not None:
        return unfinished
    if terms is None:
        if not known:
            raise UsageError(
                "there is no backfill to resume", advice="Begin one with --from, --to, --window."
            )
        return known[0]
    return next((course for course in known if course.terms == terms), None)


class _Backfill:
    """One process's share of a backfill."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        course: Course,
        file: CourseFile,
        observe: Observer,
        world: World,
    ) -> None:
        self._config = config
        self._folder = folder
        self._course = course
        self._file = file
        self._observe = observe
        self._world = world
        self._sink: Sink = open_sink(config, world.offload)

    async def run(self, watch: Watch) -> Json:
        world, course = self._world, self._course
        give_way = GiveWay(watch, world.clock, world.rng, self._observe)
        await self._sink.open()
        code = 0
        async with wired(
            self._config, self._observe, world, turn=give_way, spare=Sparing(self._sink)
        ) as wiring:
            for number, span in enumerate(course.windows, 1):
                if number in course.ended and course.ended[number].done:
                    continue
                left = None if wiring.deadline is None else max(0.0, wiring.deadline - world.clock.now())
                with anyio.move_on_after(left) as deadline:
                    await give_way()
                if deadline.cancelled_caught or left == 0:
                    return summary(course, QUOTA, "the deadline (`run.max_duration`) was reached")
                manifest = await self._window(number, span, wiring)
                code, stop = worse(code, manifest["exit_code"]), _stops(manifest)
                if stop or not self._pulls():
                    return summary(course, code, _why(manifest))
        return summary(course, code if not course.over else 0)

    async def _window(self, number: int, span: Span, wiring: Wiring) -> Json:
        """One window's run, to its manifest."""
        world, course = self._world, self._course
        again = number in course.begun
        started = course.begun.get(number, world.clock.wall())
        if not again:
            self._file.began(number, started)
        run = Run(course.run_id(number), started)
        pulls = [replace(pull, mode="backfill", since=span.since, until=span.until) for pull in self._pulls()]
        await sweep(self._folder, self._sink, run, world.clock.wall(), self._observe)
        begun = Begun(run, pulls, self._folder, again=again, journaled=again and self._journaled(run))
        manifest = await carry_through(self._config, begun, self._sink, wiring, self._observe, world)
        for result in manifest["results"]:
            if _refused(result):
                self._file.refused(f"{result['tenant']}/{result['resource']}")
        ended = Ended(
            done=all(result["state"] in SETTLED or _refused(result) for result in manifest["results"]),
            **{
                key: manifest[key]
                for key in ("exit_code", "committed", "held", "failed", "records", "requests")
            },
        )
        self._file.ended(number, ended)
        self._observe(
            WindowEnded(
                number,
                len(course.windows),
                span.since,
                span.until,
                ended.records,
                ended.requests,
                ended.done,
            )
        )
        return manifest

    def _pulls(self) -> Sequence[Pull]:
        return [pull for pull in self._course.pulls if pull.key not in self._course.refused]

    def _journaled(self, run: Run) -> bool:
        try:
            recover(runs_folder(self._folder), run.id)
        except UsageError:
            return False
        return True


def _refused(result: Mapping[str, Any]) -> bool:
    """Whether a pull failed as its server does not filter: it will not in another window either."""
    return str(result.get("error", {}).get("kind")) == "FilterIgnoredError"


def _stops(manifest: Json) -> bool:
    """Whether the next window is not worth a try now. One application's quota does not stop the others."""
    if manifest["exit_code"] != QUOTA or manifest["ending"] != "complete":
        return manifest["exit_code"] not in GO_ON
    results = manifest["results"]
    spent = {result["application"] for result in results if result["state"] == "interrupted"}
    return spent >= {result["application"] for result in results}


def _why(manifest: Json) -> str:
    said = (result["error"]["message"] for result in manifest["results"] if "error" in result)
    return next(said, "")


def worse(one: int, other: int) -> int:
    """Of two windows' exit codes, the one that says more about what is left to do."""
    order = (1, 130, 143, 7, 8, 6, 5, 2, 3, 10, 0)
    return min(one, other, key=order.index)


def summary(course: Course, code: int, why: str = "") -> dict[str, Any]:
    """What a backfill has come to. `code`: of what was tried just now."""
    windows = course.windows
    ended = course.ended
    if course.over:
        held = any(one.held for one in ended.values())
        code = 3 if course.refused else 10 if held else 0
    results = [
        {
            "window": number,
            "run": course.run_id(number),
            "since": span.since,
            "until": span.until,
            **({"done": False} if number not in ended else asdict(ended[number])),
        }
        for number, span in enumerate(windows, 1)
    ]
    sums = {
        key: sum(getattr(one, key) for one in ended.values())
        for key in ("committed", "held", "failed", "records", "requests")
    }
    return {
        "backfill": course.id,
        "from": course.terms.since,
        "to": course.terms.until,
        "window_seconds": course.terms.width,
        "windows": len(windows),
        "done": sum(one.done for one in ended.values()),
        "ended": course.over,
        "exit_code": code,
        "why": why,
        "not_filtered": sorted(course.refused),
        **sums,
        "results": results,
    }


def told(summary: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"not filtered by its server, so left out: {key}" for key in summary["not_filtered"]]
    if summary["ended"]:
        lines.append(f"backfill {summary['backfill']} has ended: nothing is left to do")
    else:
        if summary["why"]:
            lines.append(summary["why"])
        when = "tomorrow, or when the quota begins anew" if summary["exit_code"] == QUOTA else "later"
        lines.append(f"backfill {summary['backfill']} is unfinished: give the same command again {when}")
    lines.append(
        f"{summary['done']} of {summary['windows']} windows done; {summary['committed']:,} pulls committed, "
        f"{summary['held']:,} held, {summary['failed']:,} failed; {summary['records']:,} records, "
        f"{summary['requests']:,} requests; exit code {summary['exit_code']}"
    )
    return "\n".join(lines)
