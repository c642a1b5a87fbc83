"""Runs the program that prints a secret: no shell, no terminal, no more than 30 seconds, nothing quoted."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harvester.errors import SecretError

TIMEOUT = 30.0


def run(words: Sequence[str], folder: Path, environ: Mapping[str, str], timeout: float = TIMEOUT) -> bytes:
    """What the program prints. Raises `SecretError` with its name and exit status, never its output."""
    name = f"cmd:{words[0]}"
    try:
        process = subprocess.Popen(  # noqa: S603 - the configuration's owner names the program; no shell
            words,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may quote what must not be seen
            start_new_session=True,  # so that what it started ends with it
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its words hold a NUL"
        raise SecretError(f"{name} can't be run: {why}", advice="Check that it is installed.") from None
    with process:
        try:
            printed, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise SecretError(
                f"{name} took longer than {timeout:.0f} s", advice="It must print the secret without asking."
            ) from None
        except BaseException:  # interrupted: it is in a session of its own, so ^C does not reach it
            _end(process)
            raise
    if process.returncode:
        raise SecretError(
            f"{name} ended with status {process.returncode}", advice="Run it by hand to see why."
        )
    return printed


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started, so that nobody holds the pipe open."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
