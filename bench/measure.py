"""What one process cost, as the kernel counted it."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    seconds: float
    """wall clock, from before the process began until it was gone"""
    cpu: float
    """seconds of user and system time, its children's included"""
    peak: float
    """MiB"""
    said: str
    """its standard output, or what it complained of if it failed"""
    code: int


def run(words: list[str], folder: Path) -> Cost:
    """Run to the end, output in files, so that nobody waits for a reader."""
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=stdout, stderr=stderr, cwd=folder, env=environment)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
    code = process.returncode = os.waitstatus_to_exitcode(status)
    said = out if code == 0 else err
    tail = said.read_bytes()[-4000:].decode(errors="replace") if said.stat().st_size < 1 << 20 or code else ""
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, tail, code)
