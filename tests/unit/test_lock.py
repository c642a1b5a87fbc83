"""One run at a time per state folder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harvester.errors import LockedError
from harvester.lock import Watch, lock

HOLD = """
import sys, time
from pathlib import Path
from harvester.lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_refused_and_told_who_holds_it_until_that_one_dies(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LockedError, match=str(holder.pid)), lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with lock(tmp_path):
        assert (tmp_path / "lock").read_text().strip() == str(os.getpid())


def test_a_look_sees_who_holds_it_and_turns_nobody_away(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    try:
        assert not watch.held()
        with lock(tmp_path):
            assert watch.held()
        assert not watch.held()
        looks = [Watch(tmp_path) for _ in range(2)]
        for look in looks:
            assert not look.held()
            look.close()
        with lock(tmp_path):
            pass
    finally:
        watch.close()


def test_a_run_that_meets_a_look_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").touch(0o600)
    with (tmp_path / "lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr("harvester.lock.time.sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
        with lock(tmp_path):
            pass
