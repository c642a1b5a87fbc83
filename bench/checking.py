"""Did a contender harvest what it was asked to? A quick one that lost records has won nothing."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from catalogue import Contender, Task
from measure import Cost

_ID = re.compile(rb'"sourced_?[Ii]d": ?"')


class WrongHarvestError(Exception):
    """What a contender brought home is not the roster."""


def check(contender: Contender, task: Task, cost: Cost) -> int:
    """Bytes written; raises where the result is not all of the records."""
    if cost.code:
        raise WrongHarvestError(f"exit {cost.code}: {cost.said[-1500:]}")
    if contender.discards:
        due = task.origin.collections[task.collection].bytes_sent
        if int(cost.said) != due:
            raise WrongHarvestError(f"received {cost.said} bytes, not {due}")
        return 0
    files = sorted(file for file in task.folder.rglob("*") if is_data(file.relative_to(task.folder)))
    lines = sum(map(records, files))
    if lines != task.rows:
        raise WrongHarvestError(f"{lines} records, not {task.rows}")
    if contender.package == "roster-harvester":
        verdict = [result["verdict"] for result in json.loads(cost.said)["results"]]
        if verdict != ["certified"]:
            raise WrongHarvestError(f"not certified: {verdict}")
    return sum(file.stat().st_size for file in files)


def is_data(file: Path) -> bool:
    """Part or dump: `.ndjson`, `.jsonl`, either gzipped, outside of dlt's own tables."""
    return file.name.removesuffix(".gz").endswith((".ndjson", ".jsonl")) and not any(
        part.startswith(("_", ".")) for part in file.parts
    )


def records(file: Path) -> int:
    """Lines that are records; a Singer tap's schema is not."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        return sum(_ID.search(line) is not None for line in lines)
