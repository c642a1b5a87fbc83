"""Power cuts at every moment of a run's commits: no torn commit is visible, no acknowledged one is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from harvester.model import Pull, Run
from harvester.sinks.local import LocalSink
from tests.crash.power import Disk, Files, Recorder, Step, cuts

T = TypeVar("T")
RUN = Run("20261120T020000Z-7f3a9c", 1795140000.0)
PULL = Pull("p", "a", "oslo", "users")
POINTER = "_current/p/users/oslo.json"
PLACE = f"p/users/tenant=oslo/dt={RUN.day}/run={RUN.id}"
RUN_MANIFEST = f"_runs/{RUN.id}.json"
PARTS = ("part-00000.ndjson", "part-00001.ndjson")


async def at_once(call: Callable[[], T]) -> T:
    return call()


def record(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """One run with one pull of two parts, through the real sink, onto an empty lake."""
    root.mkdir()
    sink = LocalSink(root, "none", 8, at_once)

    async def run(recorder: Recorder) -> None:
        staged = await sink.stage(PULL, RUN)
        for record in (b'{"id":1}', b'{"id":2}'):
            await staged.writer.write([record])
        parts = await staged.writer.finish()
        claimed = {"mode": "full", "records": 2, "tombstones": 0, "finished": "now", "high_water_mark": None}
        certificate = {"verdict": "certified"}
        parts_claimed = [asdict(part) for part in parts]
        await sink.publish(staged, {**claimed, "certificate": certificate, "parts": parts_claimed})
        recorder.ack("pull")
        await sink.close_run(RUN, {"run": RUN.id})
        recorder.ack("run")

    with monkeypatch.context() as patched:
        recorder = Recorder(root, patched)
        anyio.run(run, recorder)
    manifest = json.loads((root / PLACE / "_manifest.json").read_bytes())
    assert tuple(part["name"] for part in manifest["parts"]) == PARTS
    return recorder.steps


def faults(files: Files, acked: set[str]) -> list[str]:
    """What is wrong with what is found after a cut."""
    whole = {path for path, (there, written) in files.items() if there == written}
    wrong = [f"torn: {path}" for path in files if path not in whole and not path.startswith("_staging/")]
    committed = f"{PLACE}/_manifest.json" in files
    parts = [f"{PLACE}/{name}" for name in PARTS]
    if committed and not whole.issuperset(parts):
        wrong.append("a manifest without its parts")
    if not committed and any(part in files for part in parts):
        wrong.append("parts without their manifest")
    if POINTER in files and not committed:
        wrong.append("a pointer that leads nowhere")
    if "pull" in acked and not committed:
        wrong.append("an acknowledged commit is lost")
    if "pull" in acked and POINTER not in files:
        wrong.append("an acknowledged pointer is lost")
    if RUN_MANIFEST in files and not committed:
        wrong.append("a run's manifest before its pulls")
    if "run" in acked and RUN_MANIFEST not in files:
        wrong.append("an acknowledged run is lost")
    return wrong


@pytest.mark.parametrize("disk", ["ordered", "weak"])
def test_no_cut_shows_a_torn_commit_or_loses_an_acknowledged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    steps = record(tmp_path / "lake", monkeypatch)
    states = list(cuts(steps, disk))
    bad = [(wrong, files) for files, acked in states if (wrong := faults(files, acked))]
    print(f"{disk}: {len(steps)} operations, {len(states)} states after a power cut, {len(bad)} of them bad")
    assert not bad, bad[:3]
    assert len(states) > 30


@pytest.mark.parametrize("lost", ["files", "folders", "all"])
def test_the_cuts_would_show_a_forgotten_fsync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The test of the test: steps without their fsyncs are found out."""
    steps = record(tmp_path / "lake", monkeypatch)
    written = {step.inode for step in steps if step.what == "write"}

    def kept(step: Step) -> bool:
        of_file = step.inode in written
        return step.what != "fsync" or (lost != "all" and of_file != (lost == "files"))

    assert any(faults(files, acked) for files, acked in cuts([s for s in steps if kept(s)], "ordered"))
