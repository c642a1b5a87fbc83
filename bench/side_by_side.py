"""The same harvest by everybody, from one origin, in turns: `make bench`.

    python bench/side_by_side.py [--rows N] [--rounds N] [--only NAME,NAME] [--concurrency N] [--results DIR]

Each round runs each contender once, so that a noisy machine troubles all alike; what counts are the medians
of each round's ratios. `--only` says nothing about the goals that need those left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from catalogue import Contender, Task, ceilings, contenders
from checking import WrongHarvestError, check
from machine import description, version
from measure import run
from origin import Origin, serving
from ratios import Sample, scaled
from table import Result, markdown

PAGE = 100
TRIED = (4, 8, 16, 32)
"""Numbers of requests at once of which the ceiling takes the quickest."""


def main() -> None:
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nginx is to end with us
    sizes = {"all": asked.rows, "part": max(PAGE, asked.rows // 5 // PAGE * PAGE), "one": PAGE}
    with serving(sizes) as origin:
        concurrency = asked.concurrency or best_concurrency(origin)
        result = compare(origin, chosen(contenders(concurrency), asked.only), asked.rounds)
    result.machine = description()
    asked.results.mkdir(parents=True, exist_ok=True)
    (asked.results / "bench.json").write_text(json.dumps(result.plain(), indent=1) + "\n")
    text = markdown(result)
    (asked.results / "bench.md").write_text(text)
    print(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Harvest one roster with everybody, in turns.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="names, with commas: harvester,aiohttp")
    parser.add_argument(
        "--concurrency", type=int, default=0, help="of the ceiling; the best is sought unless told"
    )
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def chosen(everybody: list[Contender], only: str) -> list[Contender]:
    if not only:
        return everybody
    names = set(only.split(","))
    if unknown := names - {contender.name for contender in everybody}:
        known = ", ".join(contender.name for contender in everybody)
        raise SystemExit(f"no contender {', '.join(sorted(unknown))}; there are {known}")
    return [contender for contender in everybody if contender.name in names]


def best_concurrency(origin: Origin) -> int:
    """The number of requests at once with which the ceiling is highest: best of three each."""

    def seconds(concurrency: int) -> float:
        contender = ceilings(concurrency)[0]
        return min(once(origin, contender, "all").seconds for _ in range(3))

    if not ceilings(8)[0].python.exists():
        return 8
    took = {concurrency: seconds(concurrency) for concurrency in TRIED}
    say("bare aiohttp, seconds by requests at once: " + ", ".join(f"{n}: {s:.2f}" for n, s in took.items()))
    return min(took, key=lambda concurrency: took[concurrency])


def compare(origin: Origin, field: list[Contender], rounds: int) -> Result:
    result = Result(field, {name: size.rows for name, size in origin.collections.items()})
    for contender in field:
        if contender.python.exists():
            result.versions[contender.name] = version(contender)
        else:
            result.skip(contender, f"not installed: {contender.venv} is missing")
    for number in range(1, rounds + 1):
        one: dict[str, Sample] = {}
        for contender in [one for one in field if one.name not in result.skipped]:
            try:
                start = once(origin, contender, "one")
                sample = once(origin, contender, "part" if contender.slow else "all")
            except WrongHarvestError as error:
                say(f"SKIPPED {contender.name}: {error}")
                result.skip(contender, str(error))
                continue
            if contender.slow:
                sample = scaled(sample, start, result.sizes["all"])
            result.starts.setdefault(contender.name, []).append(start)
            one[contender.name] = sample
            say(f"round {number}: {contender.name:<22}{sample.rate:>10,.0f}/s {sample.peak:>6,.0f} MiB")
        result.rounds.append(one)
    return result


def once(origin: Origin, contender: Contender, collection: str) -> Sample:
    """One harvest by one process, checked."""
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{contender.name}-"))
    try:
        task = Task(origin, collection, contender.gzip, folder)
        cost = run([str(contender.python), *contender.words(task)], folder)
        written = check(contender, task, cost)
        return Sample(task.rows, cost.seconds, cost.cpu, cost.peak, written)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
