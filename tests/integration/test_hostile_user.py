"""What a hurried, mistaken or ill-meaning user may do: a clear error, the documented code, no traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harvesting import command
from tests.integration.test_exit_codes import _running, emulator

PROGRAM = [sys.executable, "-m", "harvester"]
ONE = ("--tenant", "oneroster-v1p2-1", "--resource", "orgs", "--progress", "none")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The text of an emulator's configuration."""
    folder = tmp_path_factory.mktemp("server")
    with emulator(folder, "--tenants", "1", "--rows", "20") as config:
        yield config.read_text()


@pytest.fixture
def config(server: str, tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.touch(0o600)
    path.write_text(server)
    return path


def refused(code: int, said: str, *words: str | Path, cwd: Path) -> None:
    done = command(*words, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert "a bug of ours" not in done.stderr


@pytest.mark.parametrize("shard", ["x", "5/4", "1/" + "9" * 5000])
def test_a_shard_that_is_none(config: Path, shard: str, tmp_path: Path) -> None:
    refused(2, "Write K/N", "run", config, f"--shard={shard}", cwd=tmp_path)


@pytest.mark.parametrize("run", ["../x", "", "a" * 129, "a\nb"])
@pytest.mark.parametrize("option", ["--run-id", "--resume"])
def test_a_run_id_that_could_be_no_files_name(config: Path, option: str, run: str, tmp_path: Path) -> None:
    refused(2, "can't be a run's id", "run", config, *ONE, f"{option}={run}", cwd=tmp_path)
    assert not (tmp_path / "lake").exists()


def test_a_run_id_that_is_taken_names_no_second_run(config: Path, tmp_path: Path) -> None:
    assert command("run", config, *ONE, "--run-id", "mine", cwd=tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.suffix in (".json", ".journal")}
    refused(2, "--resume mine", "run", config, *ONE, "--run-id", "mine", cwd=tmp_path)
    users = ("--tenant", "oneroster-v1p2-1", "--resource", "users")
    refused(2, "there is a run mine already", "run", config, *users, "--run-id", "mine", cwd=tmp_path)
    shutil.rmtree(tmp_path / "state")  # the sink knows it as well
    refused(2, "there is a run mine already", "run", config, *users, "--run-id", "mine", cwd=tmp_path)
    kept = {path: data for path, data in before.items() if "lake" in path.parts}
    assert {path: path.read_bytes() for path in kept} == kept


def test_nothing_to_resume_is_a_fresh_run_and_a_run_that_never_was_is_an_error(
    config: Path, tmp_path: Path
) -> None:
    assert command("run", config, *ONE, "--resume", cwd=tmp_path).returncode == 0
    refused(2, "there is no run", "run", config, *ONE, "--resume", "20200101T000000Z-abcdef", cwd=tmp_path)
    (tmp_path / "state" / "runs" / "torn.journal").write_bytes(b"\x00garbage\n" * 100)
    refused(2, "start a fresh run", "run", config, *ONE, "--resume", "torn", cwd=tmp_path)


def test_two_runs_of_one_id_at_once(tmp_path: Path) -> None:
    slow = emulator(tmp_path, "--tenants", "1", "--rows", "60", "--faults", "latency:2000ms")
    with slow as config, _running(config, tmp_path) as first:
        deadline = time.monotonic() + 20  # the lock comes first, then the journal
        while not (journals := list((tmp_path / "state" / "runs").glob("*.journal"))):
            assert time.monotonic() < deadline, "the run did not begin"
            time.sleep(0.05)
        refused(11, str(first.pid), "run", config, "--run-id", journals[0].stem, cwd=tmp_path)
        first.kill()


def test_interrupted_twice_it_leaves_at_once_and_can_be_resumed(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "300", "--faults", "latency:300ms") as config:
        with _running(config, tmp_path) as first:
            first.send_signal(signal.SIGINT)
            first.send_signal(signal.SIGINT)
            assert first.wait(20) in (130, -signal.SIGINT)
        again = command("run", config, "--resume", "--progress", "none", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["committed"] == json.loads(again.stdout)["pulls"]


@pytest.mark.parametrize(
    "what", ["a file", "in /proc", "a file for logs", "a file for runs", "a folder for lock"]
)
def test_a_state_folder_that_cannot_be_written(server: str, config: Path, what: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    if what == "a file":
        state.touch()
    elif what == "in /proc":
        config.write_text(re.sub(r'(\[state\]\npath = )"[^"]*"', r'\1"/proc/none/state"', server))
    else:
        kind, _, name = what[2:].partition(" for ")
        state.mkdir()
        (state / name).touch() if kind == "file" else (state / name).mkdir()
    refused(7, "can't write", "run", config, *ONE, cwd=tmp_path)
    assert not list(tmp_path.rglob("part-*"))


@pytest.mark.skipif(
    not shutil.which("setpriv") or os.geteuid() != 0, reason="NOT RUN: needs root and setpriv"
)
@pytest.mark.parametrize(
    ("closed", "verb", "said"),
    [
        ("state", "run", "state folder"),
        ("state/logs", "run", "the log"),
        ("state/runs", "run", "state folder"),
        ("lake", "run", "sink"),
        ("lake", "runs", "can't list the runs"),
        ("lake/_runs", "runs", "can't list the runs"),
        ("lake", "plan", "can't read"),
    ],
)
def test_folders_that_may_not_be_entered(server: str, closed: str, verb: str, said: str) -> None:
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        (folder / "c.toml").write_text(server)
        (folder / "c.toml").chmod(0o600)
        (folder / closed).mkdir(parents=True)
        (folder / closed).chmod(0)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
        words = [
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            *PROGRAM,
            verb,
            "c.toml",
        ]
        words += ONE if verb == "run" else []
        done = subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False, timeout=60)
        assert done.returncode == 7, done.stderr
        assert said in done.stderr
        assert "Permission" in done.stderr
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("blocks", [0, 1, 2, 4])
def test_a_disk_that_is_full_from_the_start(config: Path, blocks: int, tmp_path: Path) -> None:
    words = [
        *PROGRAM,
        "run",
        str(config),
        "--tenant",
        "oneroster-*",
        "--log-level",
        "debug",
        "--progress",
        "none",
    ]
    limited = ["bash", "-c", f'ulimit -f {blocks}; trap "" XFSZ; exec "$@"', "-", *words]
    done = subprocess.run(limited, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 7, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert "a bug of ours" not in done.stderr
    assert done.stderr.count("could not be logged") <= 1


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">/dev/full", 7, "stdout: No space left"),
        (">&-", 7, "stdout: Bad file descriptor"),
        ("2>/dev/full", 0, ""),
        ("2>&-", 0, ""),
        (">&- 2>&-", 7, ""),
        ("<&-", 0, ""),
    ],
)
def test_streams_that_are_full_or_closed(
    config: Path, redirection: str, code: int, said: str, tmp_path: Path
) -> None:
    words = ["bash", "-c", f'exec "$@" {redirection}', "-", *PROGRAM, "run", str(config), *ONE, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if code == 0:
        assert json.loads(done.stdout)["committed"] == 1, "nothing but the manifest goes to stdout"
    assert len(list((tmp_path / "lake").rglob("part-*"))) == 1


def test_records_for_a_closed_stdout_are_not_taken_for_committed(config: Path, tmp_path: Path) -> None:
    config.write_text(re.sub(r'url = "[^"]*"', 'url = "-"', config.read_text(), count=1))
    words = ["bash", "-c", 'exec "$@" >&-', "-", *PROGRAM, "run", str(config), *ONE]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 7, done.stderr
    assert "stdout" in done.stderr


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone(config: Path, stream: str, tmp_path: Path) -> None:
    order = '"$@" | true' if stream == "stdout" else '"$@" 2>&1 >/dev/null | true'
    words = [
        "bash",
        "-c",
        f"{order}; exit ${{PIPESTATUS[0]}}",
        "-",
        *PROGRAM,
        "run",
        str(config),
        *ONE,
        "--json",
    ]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode in ((0, 141) if stream == "stdout" else (0,)), done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "lake").rglob("part-*"))) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: b"\xef\xbb\xbf" + text.encode(), 0),
        (lambda text: text.replace("\n", "\r\n").encode(), 0),
        (lambda text: text.replace("\n", "\r").encode(), 2),
        (lambda text: (text + "# \u00e6").encode("latin-1"), 2),
        (lambda text: text.encode("utf-16"), 2),
        (lambda text: text.encode() + b"\0", 2),
        (lambda _text: b"", 2),
        (lambda _text: b"a=" + b"[" * 100_000, 2),
        (lambda _text: b"sink = 5", 2),
        (lambda _text: b"[sink]\nurl = 2020-01-01", 2),
        (lambda text: text.encode() + b"\n[x]\ny = " + b"9" * 5000, 2),
    ],
    ids=["BOM", "CRLF", "CR", "latin-1", "UTF-16", "NUL", "empty", "deep", "number", "date", "digits"],
)
def test_files_as_editors_and_vandals_write_them(
    config: Path, change: object, code: int, tmp_path: Path
) -> None:
    assert callable(change)
    config.write_bytes(change(config.read_text()))
    done = command("run", config, *ONE, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "a bug of ours" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "."), "Is a directory"),
        (("run", "none.toml"), "No such file"),
        (("run", ""), "can't be read"),
        (("plan", "a\x1b[2Jb\nc"), r"a \[2Jb c: can't be read"),
        (("runs", "c.toml", "--limit", "-1"), "no number of runs"),
        (("show", "c.toml", "../../x"), "there is no run|there are no runs"),
        (("run", "c.toml", "--resource", "nix"), "no provider has a resource"),
        (("run", "c.toml", "--progress", "loud"), "Invalid value"),
        (("emulate", "--port", "99999999"), "out of range"),
        (("emulate", "--port", "0", "--tenants=-1"), "out of range"),
        (("emulate", "--port", "0", "--config", "."), r"can't write \."),
        (("emulate", "--records", "nix"), "no folder"),
        (("demo", "c.toml"), "no demo's"),
        (("demo", "d", "--rows=-1"), "out of range"),
        (("init", "a/b/c.toml"), "can't write"),
    ],
)
def test_words_that_make_no_sense(config: Path, words: tuple[str, ...], said: str) -> None:
    refused(2, said, *words, cwd=config.parent)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,oneroster-v1p2\na,oneroster-v1p2\n", "is there twice"),
        ("a" * 200_000 + ",x\n", "not CSV"),
        ('"a,x\n', "not CSV"),
        ("a,x,y\n", "as many cells"),
        ("a\0,x\n", "line 2"),
        ("../a,oneroster-v1p2\n", "line 2"),
    ],
)
def test_tenant_lists_that_are_none(config: Path, rows: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"id,application\n{rows}")
    own = config.read_text().partition("[[tenants]]")[0]
    config.write_text(f'{own}\n[tenants_from]\npath = "t.csv"\n')
    refused(2, said, "plan", config, cwd=tmp_path)
