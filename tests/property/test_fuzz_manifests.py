"""Whatever lies where a manifest or a pointer should be: it is read, or refused in our words."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvester.errors import HarvesterError
from harvester.model import Pull, Run
from harvester.sinks import layout
from harvester.sinks.local import LocalSink
from harvester.sinks.sink import Json

T = TypeVar("T")
PULL = Pull("p", "a", "oslo", "users")
RUN = Run("20261120T020000Z-7f3a9c", 1795140000.0)
PLACE = str(layout.pull_folder(PULL, RUN))
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
JSON: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
)
KEYS = st.sampled_from(
    ["run", "started", "path", "mode", "records", "finished", "increments", "parts", "name", "tombstones"]
)
TYPICAL = st.sampled_from([PLACE, "../../etc", "/etc/passwd", "full", RUN.id, 1795140000.0, 3, "\0"])
LOOKALIKES = st.dictionaries(KEYS, TYPICAL | JSON, max_size=10)
FILES = st.binary(max_size=80) | (JSON | LOOKALIKES).map(lambda value: _bytes(value))  # noqa: PLW0108 - defined below


def _bytes(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate
        return b"null"


async def at_once(call: Callable[[], T]) -> T:
    return call()


def put(root: Path, place: str, data: bytes) -> None:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def read(sink: LocalSink) -> None:
    """All that the tool reads of a lake before and after it pulls."""

    def current() -> None:
        newest = sink.current(PULL)
        if newest is not None:
            int(newest["records"])

    async def point() -> None:
        claimed: Json = {
            "mode": "full",
            "records": 3,
            "tombstones": 0,
            "finished": "now",
            "high_water_mark": None,
            "certificate": {"verdict": "certified"},
        }
        await sink.point(PULL, RUN, claimed)

    for look in (
        current,
        lambda: list(sink.runs()),
        lambda: sink.committed(PULL, RUN),
        lambda: sink.held(PULL, RUN),
        lambda: anyio.run(point),
    ):
        with suppress(HarvesterError):
            look()  # type: ignore[no-untyped-call]


@given(pointer=FILES, manifest=FILES, run=FILES)
@example(pointer=b"{}", manifest=b"{}", run=b"[]")
@settings(max_examples=80, deadline=None)
def test_any_files_of_a_lake_are_read_or_refused(pointer: bytes, manifest: bytes, run: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        put(root, str(layout.pointer(PULL)), pointer)
        put(root, f"{PLACE}/_manifest.json", manifest)
        put(root, f"_runs/{RUN.id}.json", run)
        read(LocalSink(root, "gzip", 1 << 20, at_once))
