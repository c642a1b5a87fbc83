"""The process's own streams, so that none of them can end a run or pass for another.

A scheduler may start us with closed streams. A file that is opened then gets their number, and what is said
would be written into it; and `print` to a stream that is None goes to stdout, between the records.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast


class Unfailing:
    """stderr, which nobody may be reading any more: what can't be said is not worth a night."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def prepare() -> None:
    """See that all three are there: what goes to a closed stdout fails, to a closed stderr is lost."""
    for fd, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.dup2(os.open(os.devnull, flags), fd)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    errors = sys.stderr or open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    if not isinstance(errors, Unfailing):
        sys.stderr = cast("TextIO", Unfailing(errors))
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # a terminal that knows no ø still gets its table


def finish() -> None:
    """Write what stdout still holds; where that fails, the verb has failed already and said so."""
    try:
        sys.stdout.flush()
    except OSError:
        abandon_stdout()


def abandon_stdout() -> None:
    """Lose what stdout still holds, or it would fail once more when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
