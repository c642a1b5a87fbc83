"""Who takes part, and how each is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from origin import SERVICE, Origin

HERE = Path(__file__).parent
ROOT = HERE.parent


@dataclass(frozen=True)
class Task:
    """One harvest that a contender is to do."""

    origin: Origin
    collection: str
    gzip: bool
    folder: Path

    @property
    def root(self) -> str:
        return self.origin.root(self.collection, self.gzip)

    @property
    def url(self) -> str:
        return f"{self.root}{SERVICE}/users"

    @property
    def rows(self) -> int:
        return self.origin.collections[self.collection].rows


@dataclass(frozen=True)
class Contender:
    name: str
    title: str
    venv: str
    """folder of its interpreter, from the repository's root"""
    package: str
    """whose version the table names"""
    words: Callable[[Task], list[str]]
    """its command line without the interpreter"""
    gzip: bool = False
    slow: bool = False
    """harvests the smaller collection, so that nobody waits half an hour"""
    discards: bool = False
    """writes nothing: it says how many bytes it received"""

    @property
    def python(self) -> Path:
        return ROOT / self.venv / "bin" / "python"

    @property
    def ceiling(self) -> str:
        return "aiohttp-gzip" if self.gzip else "aiohttp"


CONFIGURATION = """
[sink]
url = "{folder}/lake"
[state]
path = "{folder}/state"
[applications.origin]
provider = "oneroster-v1p2"
base_url = "{root}{service}"
token_url = "{token}"
client_id = "literal:bench"
client_secret = "literal:bench"
[applications.origin.limits]
page_size = 100
[[tenants]]
id = "giant"
application = "origin"
resources = ["users"]
"""


def harvest(task: Task) -> list[str]:
    """`harvester run`, all on: what a new user's configuration says."""
    file = task.folder / "bench.toml"
    file.touch(0o600)
    token = task.origin.token_url(task.gzip)
    file.write_text(CONFIGURATION.format(folder=task.folder, root=task.root, service=SERVICE, token=token))
    return ["-m", "harvester", "run", str(file), "--progress", "none", "--json"]


def script(name: str, *more: str) -> Callable[[Task], list[str]]:
    """A script of bench/contenders, told the address, the number of records and where to write."""

    def words(task: Task) -> list[str]:
        return [str(HERE / "contenders" / name), task.url, str(task.rows), str(task.folder), *more]

    return words


def ceilings(concurrency: int) -> list[Contender]:
    """aiohttp with nothing behind it, so many requests at once."""
    n, venv = str(concurrency), ".venv-bench/aiohttp"
    return [
        Contender(
            "aiohttp", f"bare aiohttp x{n}", venv, "aiohttp", script("aiohttp_bare.py", n), discards=True
        ),
        Contender(
            "aiohttp-gzip",
            f"bare aiohttp x{n}, gzip",
            venv,
            "aiohttp",
            script("aiohttp_bare.py", n),
            gzip=True,
            discards=True,
        ),
        Contender(
            "aiohttp-isal-gzip",
            f"bare aiohttp x{n}, gzip by isal",
            venv,
            "aiohttp",
            script("aiohttp_bare.py", n, "isal"),
            gzip=True,
            discards=True,
        ),
    ]


OURS = [
    Contender("harvester", "harvester", ".venv-bench/harvester", "roster-harvester", harvest),
    Contender("harvester-speed", "harvester[speed]", ".venv", "roster-harvester", harvest),
    Contender(
        "harvester-gzip", "harvester, gzip", ".venv-bench/harvester", "roster-harvester", harvest, gzip=True
    ),
    Contender(
        "harvester-speed-gzip", "harvester[speed], gzip", ".venv", "roster-harvester", harvest, gzip=True
    ),
]
LOOPS = [
    Contender(
        "requests-json",
        "requests + json",
        ".venv-bench/requests",
        "requests",
        script("requests_loop.py", "json"),
    ),
    Contender(
        "requests-orjson",
        "requests + orjson",
        ".venv-bench/requests",
        "requests",
        script("requests_loop.py", "orjson"),
    ),
]
PEERS = [
    Contender(
        "lightbeam", "lightbeam fetch", ".venv-bench/lightbeam", "lightbeam", script("lightbeam_fetch.py")
    ),
    Contender("dlt", "dlt rest_api", ".venv-bench/dlt", "dlt", script("dlt_rest_api.py"), slow=True),
    Contender(
        "singer", "Singer SDK tap", ".venv-bench/singer", "singer-sdk", script("singer_tap.py"), slow=True
    ),
    Contender(
        "airbyte", "Airbyte CDK", ".venv-bench/airbyte", "airbyte-cdk", script("airbyte_source.py"), slow=True
    ),
    Contender("scrapy", "Scrapy", ".venv-bench/scrapy", "Scrapy", script("scrapy_spider.py"), slow=True),
]


def contenders(concurrency: int) -> list[Contender]:
    return [*OURS, *ceilings(concurrency), *LOOPS, *PEERS]
