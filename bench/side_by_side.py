"""The same harvest by this tool and by others, side by side: what `make bench` runs.

python bench/side_by_side.py [--rows 200000] [--rounds 5] [--only NAME ...] [--results DIR]

Each round runs every contender once, one after the other, as a process of its own: so a noisy moment troubles
neighbours alike, and ratios are taken within a round. Slow ones fetch a fifth of the records. Every result is
counted, and ours must be certified.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from measures import Measure, Rounds, Row, judged, rows, table
from origin import Origin, serve

HERE = Path(__file__).parent
ROOT = HERE.parent
OURS, CEILING = "harvester", "aiohttp, thrown away"
PACKED = ", gzip"
CONFIG = """
[sink]
url = "{out}/lake"
[state]
path = "{out}/state"
[applications.origin]
provider = "oneroster-v1p2"
base_url = "{url}"
token_url = "http://127.0.0.1:{port}/token"
client_id = "literal:bench"
client_secret = "literal:bench"
[applications.origin.limits]
page_size = 100
[[tenants]]
id = "bench"
application = "origin"
resources = ["users"]
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of doing it."""

    name: str
    words: Callable[[Origin, Path, int], list[str]]
    """The command, given the origin, an empty folder and the number of records."""
    count: Callable[[Path], int]
    """Records in what it left behind; what it said is `said` there."""
    environment: str
    """whose interpreter must be there"""
    roster: str = "whole"


def script(
    name: str, packing: str, environment: str, roster: str
) -> Callable[[Origin, Path, int], list[str]]:
    def words(origin: Origin, out: Path, count: int) -> list[str]:
        path = HERE / "contenders" / f"{name}.py"
        return [python(environment), str(path), origin.base(roster, packing), str(count), str(out)]

    return words


def harvester(packing: str) -> Callable[[Origin, Path, int], list[str]]:
    def words(origin: Origin, out: Path, _count: int) -> list[str]:
        config = out / "bench.toml"
        config.touch(0o600)
        config.write_text(CONFIG.format(out=out, url=origin.base("whole", packing), port=origin.port))
        return [sys.executable, "-m", "harvester", "run", str(config), "--progress", "none", "--json"]

    return words


def python(environment: str) -> str:
    return str(ROOT / ".venv-bench" / environment / "bin" / "python")


def certified(out: Path) -> int:
    run = json.loads((out / "said").read_bytes())
    if run["certificates"] != {"certified": run["pulls"]}:
        raise SystemExit(f"ours is not certified: {run['certificates']}")
    return int(run["records"])


def lines(pattern: str, mark: bytes = b'"sourcedId"') -> Callable[[Path], int]:
    def count(out: Path) -> int:
        return sum(mark in line for path in out.glob(pattern) for line in path.open("rb"))

    return count


def nothing(_out: Path) -> int:
    return -1


def contenders() -> Iterator[Contender]:
    def other(
        name: str, file: str, environment: str, counted: Callable[[Path], int], **more: str
    ) -> Contender:
        packing, roster = more.get("packing", "plain"), more.get("roster", "whole")
        return Contender(name, script(file, packing, environment, roster), counted, environment, roster)

    yield Contender(OURS, harvester("plain"), certified, "")
    yield other(CEILING, "bare_aiohttp", "plain", nothing)
    yield Contender(OURS + PACKED, harvester("gzip"), certified, "")
    yield other(CEILING + PACKED, "bare_aiohttp", "plain", nothing, packing="gzip")
    yield other("requests, orjson", "requests_orjson", "plain", lines("users.ndjson"))
    yield other("requests, json", "requests_json", "plain", lines("users.ndjson"))
    yield other("lightbeam", "lightbeam_fetch", "lightbeam", lines("users.jsonl"), packing="edfi")
    yield other("Singer SDK", "singer_tap", "singer", lines("said", b'"type":"RECORD"'), roster="part")
    yield other("dlt", "dlt_rest_api", "dlt", lines("lake/roster/users/*"), roster="part")
    yield other(
        "Airbyte CDK", "airbyte_cdk_read", "airbyte", lines("said", b'"type":"RECORD"'), roster="part"
    )
    yield other("Scrapy", "scrapy_spider", "scrapy", lines("users.jsonl"), roster="part")


GOALS: list[tuple[str, str, float]] = [
    ("share of the ceiling", CEILING, 0.40),
    ("share of the ceiling, gzip", CEILING + PACKED, 0.30),
    ("times requests, json", "requests, json", 6.0),
    ("times lightbeam", "lightbeam", 3.5),
    ("times dlt", "dlt", 12.0),
    ("times Singer SDK", "Singer SDK", 12.0),
    ("times Airbyte CDK", "Airbyte CDK", 12.0),
    ("times Scrapy", "Scrapy", 12.0),
]


def measure(contender: Contender, origin: Origin) -> Measure:
    out = Path(tempfile.mkdtemp(prefix="bench-"))
    expected = origin.rows[contender.roster]
    try:
        words = contender.words(origin, out, expected)
        with (out / "said").open("wb") as said, (out / "complaints").open("wb") as complaints:
            began = time.perf_counter()
            process = subprocess.Popen(words, stdout=said, stderr=complaints, cwd=out, env=_environment())
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status):
            complaint = (out / "complaints").read_text(errors="replace")[-2000:]
            raise SystemExit(f"{contender.name} failed: {complaint}")
        found = contender.count(out)
        if found not in (-1, expected):
            raise SystemExit(f"{contender.name} has {found} records instead of {expected}")
        left = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        return Measure(expected, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, left)
    finally:
        shutil.rmtree(out)


def _environment() -> dict[str, str]:
    """Ours, less what would let one environment see another's packages."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}, "PYTHONPATH": ""}


def run(origin: Origin, chosen: list[Contender], rounds: int) -> Rounds:
    measured: list[dict[str, Measure]] = []
    for number in range(rounds):
        measured.append({})
        for contender in chosen:
            one = measured[-1][contender.name] = measure(contender, origin)
            print(f"round {number + 1}: {contender.name:24} {one.rate:10,.0f} records/s", flush=True)
    return measured


def against(found: list[Row]) -> list[tuple[str, float, float]]:
    """The goals, what they ask for, and what was measured, for the contenders that ran."""
    ratios = {row.name: row.ours_over_it for row in found}
    return [(what, wanted, ratios[name]) for what, name, wanted in GOALS if name in ratios]


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release().split('-')[0]}"


def versions() -> str:
    """Of the contenders, as locked."""
    found = []
    for path in sorted((HERE / "locks").glob("*.lock")):
        asked = {
            re.split(r"[\[=<>]", name)[0].lower() for name in path.with_suffix(".in").read_text().split()
        }
        pins = re.findall(r"^([\w-]+)(?:\[.*\])?==(\S+)", path.read_text(), re.MULTILINE)
        found += [f"{name} {version}" for name, version in pins if name.lower() in asked]
    return ", ".join([f"Python {platform.python_version()}", *sorted(set(found))])


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rows", type=int, default=200_000)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--only", nargs="*", help="names, or beginnings of names")
    words.add_argument("--results", type=Path, default=HERE / "results")
    asked = words.parse_args()
    chosen, skipped = [], []
    for contender in contenders():
        if asked.only and not contender.name.startswith(tuple(asked.only)):
            continue
        there = not contender.environment or Path(python(contender.environment)).exists()
        (chosen if there else skipped).append(contender)
    for contender in skipped:
        print(f"SKIPPED: {contender.name}: its environment is not there, see `make bench`", file=sys.stderr)
    rosters = {"whole": asked.rows, "part": asked.rows // 5}
    with tempfile.TemporaryDirectory(prefix="origin-") as folder, serve(Path(folder), rosters) as origin:
        rounds = run(origin, chosen, asked.rounds)
    names = [contender.name for contender in chosen]
    packed = {name: PACKED if name.endswith(PACKED) else "" for name in names}
    found = rows(rounds, {n: CEILING + packed[n] for n in names}, {n: OURS + packed[n] for n in names})
    write(asked.results, found, rounds, [contender.name for contender in skipped])


def write(folder: Path, found: list[Row], rounds: Rounds, skipped: list[str]) -> None:
    text = f"""# Side by side

{len(rounds)} rounds, medians. {machine()}. {versions()}.
What each contender is and does: `bench/contenders/`. A record is about 1 KB, a page holds 100.

{table(found)}

{judged(against(found))}
"""
    if skipped:
        text += f"\nNot installed here, and so skipped: {', '.join(skipped)}.\n"
    print(text)
    folder.mkdir(exist_ok=True)
    (folder / "bench.md").write_text(text)
    raw = [{name: asdict(one) for name, one in measured.items()} for measured in rounds]
    (folder / "bench.json").write_text(json.dumps(raw, indent=1) + "\n")
    plotter = python("plot")
    if Path(plotter).exists():
        subprocess.run([plotter, str(HERE / "plot.py"), str(folder)], check=True)
    else:
        print("SKIPPED: the plot: its environment is not there", file=sys.stderr)


if __name__ == "__main__":
    main()
