"""One run at a time per state folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harvester.errors import LockedError
from harvester.lock import lock

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
