"""Every documented exit code, as a scheduler would see it: processes, real sockets, real files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harvesting import Lake, command


@contextmanager
def emulator(folder: Path, *options: str) -> Iterator[Path]:
    """`harvester emulate` in a process of its own; the path of its configuration."""
    config = folder / "emulated.toml"
    words = [sys.executable, "-m", "harvester", "emulate", "--port", "0", "--config", str(config), *options]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "its configuration" in line:
                    break
            else:
                raise AssertionError("the emulator did not start")
            yield config
        finally:
            process.terminate()


def edit(config: Path, pattern: str, replacement: str, count: int = 0) -> None:
    text = config.read_text()
    changed = re.sub(pattern, replacement, text, count=count)
    assert changed != text, "the edit changed nothing"
    config.write_text(changed)


def test_0_when_every_pull_is_committed_and_stdout_holds_the_manifest_alone(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "30") as config:
        done = command("run", config, "--json", "--progress", "none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["committed"] == manifest["pulls"] > 30
    assert (tmp_path / "lake" / "_runs" / f"{manifest['run']}.json").exists()


def test_2_for_a_wrong_configuration_with_the_line_and_the_nearest_key(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(
        '[sink]\nurl = "lake"\n[applications.a]\nprovider = "flyt-oneroster"\nclient_idd = "env:X"\n'
    )
    done = command("run", config)
    assert done.returncode == 2
    assert "wrong.toml, line 5" in done.stderr
    assert 'Did you mean "client_id"?' in done.stderr
    assert "Traceback" not in done.stderr


def test_2_for_wrong_usage_and_for_a_missing_file(tmp_path: Path) -> None:
    assert command("run").returncode == 2
    assert command("run", "x.toml", "--no-such-option").returncode == 2
    assert command("fetch", "x.toml").returncode == 2
    done = command("run", tmp_path / "none.toml")
    assert done.returncode == 2
    assert "harvester init" in done.stderr


def test_2_when_a_secret_cannot_be_found(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "5") as config:
        edit(config, r'client_secret = "literal:[^"]*"', 'client_secret = "env:NO_SUCH_VARIABLE"')
        done = command("run", config, "--tenant", "oneroster-v1p2-1", "--progress", "none", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "NO_SUCH_VARIABLE" in done.stderr


def test_3_when_some_pulls_fail_and_the_others_are_committed(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "2", "--rows", "5") as config:
        edit(config, r"/t/oneroster-v1p2-2/", "/t/nobody/")
        done = command("run", config, "--tenant", "oneroster-v1p2-*", "--progress", "none", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "oneroster-v1p2-2/users" in done.stderr


def test_5_when_nothing_answers(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "5") as config:
        pass
    done = command(
        "run",
        config,
        "--tenant",
        "classlink-proxy-1",
        "--resource",
        "orgs",
        "--progress",
        "none",
        cwd=tmp_path,
    )
    assert done.returncode == 5, done.stderr
    assert "connection refused" in done.stderr


def test_6_when_credentials_are_refused_for_every_tenant(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "2", "--rows", "5") as config:
        edit(config, r'client_secret = "literal:[^"]*"', 'client_secret = "literal:wrong"')
        done = command("run", config, "--tenant", "oneroster-v1p*", "--progress", "none", cwd=tmp_path)
        checked = command("check", config, "--tenant", "oneroster-v1p2-1", cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "invalid_client" in done.stderr
    assert checked.returncode == 6
    assert "client_secret" in checked.stdout


def test_7_when_the_sink_cannot_be_written(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "5") as config:
        (tmp_path / "lake").write_text("a file where the lake should be")
        done = command("run", config, "--tenant", "classlink-proxy-1", "--progress", "none", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    assert "can't write" in done.stderr


def test_7_when_the_disk_is_full(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "3000") as config:
        words = [sys.executable, "-m", "harvester", "run", str(config), "--tenant", "oneroster-v1p2-1"]
        limited = ["bash", "-c", 'ulimit -f 40; trap "" XFSZ; exec "$@"', "-", *words, "--progress", "none"]
        done = subprocess.run(limited, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
        assert done.returncode == 7, done.stderr
        assert "--resume" in done.stderr
        again = command(
            "run", config, "--tenant", "oneroster-v1p2-1", "--resume", "--progress", "none", cwd=tmp_path
        )
    assert again.returncode == 0, again.stderr


def test_8_when_a_quota_is_spent_and_0_when_it_is_raised_and_the_run_resumed(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "300") as config:
        edit(
            config, r'provider = "classlink-proxy"', 'provider = "classlink-proxy"\nlimits.daily_requests = 5'
        )
        done = command("run", config, "--tenant", "classlink-proxy-1", "--progress", "none", cwd=tmp_path)
        assert done.returncode == 8, done.stderr
        edit(config, "limits.daily_requests = 5", "limits.daily_requests = 5000")
        again = command("run", config, "--resume", "--json", "--progress", "none", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["committed"] == 6


def test_9_for_nothing_to_do_only_when_asked(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "5") as config:
        assert command("run", config, "--tenant", "nobody", "--fail-on-empty", cwd=tmp_path).returncode == 9
        assert command("run", config, "--tenant", "nobody", cwd=tmp_path).returncode == 0


def test_10_when_a_pull_is_held(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "60", "--faults", "poison:7") as config:
        words = ("run", config, "--tenant", "oneroster-v1p2-1", "--progress", "none")
        done = command(*words, "--resource", "users", "--resource", "academicSessions", cwd=tmp_path)
    assert done.returncode == 10, done.stderr
    assert "held: oneroster-v1p2-1/users" in done.stderr


def test_11_for_a_second_run_at_once(tmp_path: Path) -> None:
    slow = emulator(tmp_path, "--tenants", "1", "--rows", "60", "--faults", "latency:2000ms")
    with slow as config, _running(config, tmp_path) as first:
        second = command("run", config, cwd=tmp_path)
        first.kill()
    assert second.returncode == 11, second.stderr
    assert str(first.pid) in second.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_when_interrupted_and_the_run_can_be_resumed(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "900", "--faults", "latency:60ms") as config:
        with _running(config, tmp_path) as first:
            while not list((tmp_path / "lake").rglob("_current/*/*/*.json")):
                time.sleep(0.05)
            first.send_signal(sent)
            assert first.wait(20) == code
        lake = Lake(tmp_path / "lake")
        committed = {lake.root / path: (lake.root / path).stat().st_mtime_ns for path in lake.visible()}
        assert committed
        assert all((path.parent / "_manifest.json").exists() for path in committed), (
            "half of a pull is visible"
        )
        again = command("run", config, "--resume", "--json", "--progress", "none", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in committed.items()), "fetched again"
    assert len(list((tmp_path / "lake" / "_runs").iterdir())) == 1, "a resumed run is the same run"


def test_a_killed_run_leaves_nothing_half_written_and_resumes(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "900", "--faults", "latency:60ms") as config:
        with _running(config, tmp_path) as first:
            while not list((tmp_path / "lake").rglob("_current/*/*/*.json")):
                time.sleep(0.05)
            first.send_signal(signal.SIGKILL)
            first.wait(20)
        for part in (tmp_path / "lake").glob("*/*/tenant=*/dt=*/run=*/part-*"):
            manifest = json.loads((part.parent / "_manifest.json").read_text())
            assert {p["name"]: p["bytes"] for p in manifest["parts"]}[part.name] == part.stat().st_size
        again = command("run", config, "--resume", "--json", "--progress", "none", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    manifest = json.loads(again.stdout)
    assert manifest["committed"] == manifest["pulls"]


@contextmanager
def _running(config: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [
        sys.executable,
        "-m",
        "harvester",
        "run",
        str(config),
        "--progress",
        "none",
        "--tenant",
        "oneroster-*",
    ]
    process = subprocess.Popen(words, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not (folder / "state" / "lock").exists() or not (folder / "state" / "lock").read_text():
            assert time.monotonic() < deadline, "the run did not begin"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_is_written_is_private(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "5") as config:
        assert (
            command(
                "run", config, "--tenant", "oneroster-v1p2-1", "--progress", "none", cwd=tmp_path
            ).returncode
            == 0
        )
    for root in (tmp_path / "lake", tmp_path / "state"):
        for path in [root, *root.rglob("*")]:
            mode = path.stat().st_mode & 0o777
            assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"
