"""Runs of the harvester that strace can kill or fail at any one system call, repeatably.

`python -m tests.crash.victim` imports the tool once and forks a child for each run that is asked for, so that
start-up is neither paid for nor counted. A child that is to be traced does everything in one thread, in one
order: the n-th call is the same call each time. It stops itself until strace holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import anyio.to_thread

import harvester
from harvester.cli import running
from harvester.cli.app import main as harvester_main

CALLS = (
    "openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate",
    "rename", "renameat", "renameat2", "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir",
)  # fmt: skip
"""Every call by which a run changes files, and `openat` for those that it makes."""

LATE = (
    "stringprep", "encodings.idna", "anyio._backends._asyncio", "anyio.streams.memory",
    "authlib.oauth2.rfc6749.parameters",
)  # fmt: skip
"""What is imported when it is first used: opening the program's own files is not what is tried."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Order:
    """One run: the command's words, where, and what strace does to it (None: it is not traced)."""

    words: Sequence[str]
    cwd: str
    inject: str | None = None


@dataclass(frozen=True)
class Death:
    """How a run ended: its exit code, or the negative number of the signal; and what it said."""

    code: int
    said: str


class Stable:
    """The process that forks. `with Stable() as stable: stable.run(Order(...))`."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.victim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def run(self, order: Order) -> Death:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Death(code, Path(order.cwd, "stderr").read_text(encoding="utf-8", errors="replace"))


def main() -> None:
    for module in pkgutil.walk_packages(harvester.__path__, "harvester."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in LATE:
        import_module(name)
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            _be_the_run(order)
        print(_watch(child, order), flush=True)


def _be_the_run(order: Order) -> None:
    os.chdir(order.cwd)
    for fd, name in ((0, "/dev/null"), (1, "stdout"), (2, "stderr")):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | (os.O_APPEND if fd else 0), 0o600)
        os.dup2(opened, fd)
        os.close(opened)
    if order.inject is not None:
        _in_one_thread()
        os.kill(os.getpid(), signal.SIGSTOP)
    code = 1
    try:
        harvester_main(list(order.words))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        with contextlib.suppress(OSError):
            sys.stderr.flush()
    finally:
        os._exit(code)


def _in_one_thread() -> None:
    """What the tool would give to a thread is done at once: files are touched in one order."""

    async def at_once(call: Callable[..., Any], *args: object, **_: object) -> Any:
        await asyncio.sleep(0)
        return call(*args)

    def in_executor(
        self: asyncio.BaseEventLoop, _executor: object, call: Callable[..., Any], *args: object
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(call(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    anyio.to_thread.run_sync = at_once  # type: ignore[assignment]
    asyncio.BaseEventLoop.run_in_executor = in_executor  # type: ignore[assignment,method-assign]
    running._uvloop = lambda: False  # it writes to sockets by write(2), asyncio by send(2)


def _watch(child: int, order: Order) -> int:
    if order.inject is None:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.waitpid(child, os.WUNTRACED)
    words = ["strace", "-qq", "-p", str(child), "-o", f"{order.cwd}/trace", *order.inject.split()]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as strace:
        while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
            assert strace.poll() is None, "strace can't attach"
            time.sleep(0.002)
        os.kill(child, signal.SIGCONT)
        while True:
            _, status = os.waitpid(child, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
