"""Did a contender harvest what it was asked to? A quick one that lost records has won nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from catalogue import Contender, Task
from measure import Cost


class Wrong(Exception):
    """What a contender brought home is not the roster."""


def check(contender: Contender, task: Task, cost: Cost) -> int:
    """Bytes written; raises where the result is not all of the records."""
    if cost.code:
        raise Wrong(f"exit {cost.code}: {cost.said[-1500:]}")
    if contender.discards:
        due = task.origin.collections[task.collection].bytes_sent
        if int(cost.said) != due:
            raise Wrong(f"received {cost.said} bytes, not {due}")
        return 0
    files = sorted(file for file in task.folder.rglob("*") if is_data(file))
    lines = sum(map(records, files))
    if lines != task.rows:
        raise Wrong(f"{lines} records, not {task.rows}")
    if contender.package == "roster-harvester":
        verdict = [result["verdict"] for result in json.loads(cost.said)["results"]]
        if verdict != ["certified"]:
            raise Wrong(f"not certified: {verdict}")
    return sum(file.stat().st_size for file in files)


def is_data(file: Path) -> bool:
    """Part or dump: `.ndjson`, `.jsonl`, either gzipped, outside of dlt's own tables."""
    return file.name.removesuffix(".gz").endswith((".ndjson", ".jsonl")) and not any(
        part.startswith(("_", ".")) for part in file.parts[-3:]
    )


def records(file: Path) -> int:
    """Lines that are records; a Singer tap's other messages are not."""
    opened = gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")
    with opened as lines:
        return sum(b'"sourcedId"' in line or b'"sourced_id"' in line for line in lines)
