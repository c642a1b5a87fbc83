"""The local sink: a pull is visible whole or not at all, and a failing disk is a `SinkError`."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from harvester.errors import SinkError
from harvester.model import Pull, Run
from harvester.sinks.local import LocalSink
from harvester.sinks.stdout import StdoutSink

pytestmark = pytest.mark.anyio
T = TypeVar("T")
PULL = Pull("oneroster-v1p2", "sis", "oslo", "users")
RUN = Run("20261120T020000Z-7f3a9c", 1795140000.0)


async def inline(call: Callable[[], T]) -> T:
    return call()


def sink_in(folder: Path) -> LocalSink:
    return LocalSink(folder / "lake", "gzip", 1 << 20, inline)


def visible(folder: Path) -> list[str]:
    files = (path.relative_to(folder / "lake") for path in (folder / "lake").rglob("*") if path.is_file())
    return sorted(str(path) for path in files if path.parts[0] != "_staging")


async def commit(sink: LocalSink, run: Run = RUN, pull: Pull = PULL, records: int = 3) -> None:
    staged = await sink.stage(pull, run)
    await staged.writer.write([b'{"sourcedId":"%d"}' % i for i in range(records)])
    parts = await staged.writer.finish()
    await sink.publish(staged, claimed(records, [{"name": p.name} for p in parts]))


def claimed(records: int, parts: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """As much of a manifest as a sink reads."""
    return {
        "mode": "full",
        "records": records,
        "tombstones": 0,
        "finished": "now",
        "high_water_mark": None,
        "certificate": {"verdict": "certified"},
        "parts": parts,
    }


async def test_nothing_is_visible_before_the_commit_and_everything_after(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    staged = await sink.stage(PULL, RUN)
    await staged.writer.write([b"{}"])
    await staged.writer.finish()
    assert visible(tmp_path) == []
    await sink.publish(staged, claimed(1))
    place = f"oneroster-v1p2/users/tenant=oslo/dt={RUN.day}/run={RUN.id}"
    assert visible(tmp_path) == [
        "_current/oneroster-v1p2/users/oslo.json",
        f"{place}/_manifest.json",
        f"{place}/part-00000.ndjson.gz",
    ]
    assert (
        json.loads((tmp_path / "lake/_current/oneroster-v1p2/users/oslo.json").read_text())["path"] == place
    )


async def test_an_older_run_that_is_resumed_does_not_hide_a_newer_snapshot(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    await commit(sink, Run("newer", RUN.started + 60))
    await commit(sink, RUN)
    pointer = json.loads((tmp_path / "lake/_current/oneroster-v1p2/users/oslo.json").read_text())
    assert pointer["run"] == "newer"


async def test_an_earlier_try_of_the_same_run_is_removed(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    first = await sink.stage(PULL, RUN)
    await first.writer.write([b"{}"] * 5)
    await first.writer.finish()
    await commit(sink)
    assert (sink.committed(PULL, RUN) or {})["records"] == 3


async def test_a_held_pull_is_not_visible_to_readers(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    staged = await sink.stage(PULL, RUN)
    await sink.hold(staged, {"records": 0, "finished": "now", "parts": []})
    assert all(name.startswith("_held/") for name in visible(tmp_path))
    assert sink.held(PULL, RUN) is not None
    assert sink.current(PULL) is None


OUTSIDE = ["../x", "a/b", "", ".", "..", "..a", "a/../b", "a\\b", "a\n", "x\0", "x" * 300, "~"]


@pytest.mark.parametrize("name", OUTSIDE)
async def test_a_name_that_could_leave_the_lake_is_refused(tmp_path: Path, name: str) -> None:
    for pull in (Pull("p", "a", name, "users"), Pull("p", "a", "t", name), Pull(name, "a", "t", "users")):
        with pytest.raises(SinkError):
            await sink_in(tmp_path).stage(pull, RUN)


@pytest.mark.parametrize("name", ["a..b", "a..", "a.-_b", "0", "x" * 128])
async def test_a_name_that_the_configuration_allows_is_a_folder(tmp_path: Path, name: str) -> None:
    sink, pull = sink_in(tmp_path), Pull("p", "a", name, "users")
    await commit(sink, pull=pull)
    assert (sink.current(pull) or {})["records"] == 3
    assert visible(tmp_path)[0] == f"_current/p/users/{name}.json"


@pytest.mark.parametrize("call", ["write", "fsync", "open", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EMFILE])
async def test_when_any_call_fails_it_says_so_and_nothing_half_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    for nth in range(1, 40):
        folder = tmp_path / f"{nth}"
        folder.mkdir()
        with monkeypatch.context() as patch:
            calls = _fail_nth(patch, call, nth, code)
            try:
                await commit(sink_in(folder))
            except SinkError as error:
                said = str(error)
            else:
                said = ""
        assert os.strerror(code) in said or calls[0] < nth, "a failed call went unnoticed"
        manifests = list((folder / "lake").glob("*/*/*/*/*/_manifest.json"))
        parts = list((folder / "lake").glob("*/*/*/*/*/part-*"))
        assert len(manifests) == len(parts), "parts without a manifest, or the other way about"
        await commit(sink_in(folder)) if not manifests else None
        assert (sink_in(folder).committed(PULL, RUN) or {})["records"] == 3
        if calls[0] < nth:
            return
    raise AssertionError("it never came through")


def _fail_nth(patch: pytest.MonkeyPatch, name: str, nth: int, code: int) -> list[int]:
    count = [0]
    owner: Any = Path if name == "rename" else os
    real = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        count[0] += 1
        if count[0] == nth:
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    patch.setattr(owner, name, call)
    if name == "rename":
        patch.setattr(Path, "replace", call)
    return count


async def test_records_on_stdout_come_pull_by_pull(tmp_path: Path) -> None:
    out = io.BytesIO()
    sink = StdoutSink(LocalSink(tmp_path / "spool", "none", 1 << 20, inline), out)
    staged = [await sink.stage(Pull("p", "a", tenant, "users"), RUN) for tenant in ("a", "b")]
    for one, letter in zip(staged, (b"a", b"b"), strict=True):
        await one.writer.write([letter] * 3)
    for one in reversed(staged):
        parts = await one.writer.finish()
        await sink.publish(one, {"parts": [{"name": part.name} for part in parts]})
    assert out.getvalue() == b"b\nb\nb\na\na\na\n"
    assert not [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


async def test_a_pipe_that_is_closed_is_a_sink_error(tmp_path: Path) -> None:
    class Closed(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    sink = StdoutSink(LocalSink(tmp_path / "spool", "none", 1 << 20, inline), Closed())
    staged = await sink.stage(PULL, RUN)
    await staged.writer.write([b"{}"])
    parts = await staged.writer.finish()
    with pytest.raises(SinkError, match="pipe"):
        await sink.publish(staged, {"parts": [{"name": part.name} for part in parts]})


async def test_files_are_ours_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await commit(sink_in(tmp_path))
    finally:
        os.umask(before)
    for path in (tmp_path / "lake").rglob("*"):
        mode = path.stat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"
