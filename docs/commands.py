"""Write docs/commands.md from the program's own --help, so that the two can't differ. `make docs` runs it."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

os.environ |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}

from rich.console import Console

from harvester.cli.app import app

VERBS = ("run", "plan", "backfill", "check", "runs", "show", "emulate", "demo", "init")
PLACE = Path(__file__).with_name("commands.md")


def text() -> str:
    parts = [
        "# Commands",
        "",
        "Written by `make docs` from the program's own help; a test holds them equal. Exit codes are in",
        "[operations.md](operations.md#exit-codes). Shell completion: `harvester completion`.",
    ]
    for words in ([], *([verb] for verb in VERBS)):
        parts += ["", f"## harvester {' '.join(words)}".rstrip(), "", "```text", _help(words), "```"]
    return "\n".join(parts) + "\n"


def _help(words: list[str]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=100, no_color=True, force_terminal=False, legacy_windows=False)
    with contextlib.suppress(SystemExit):
        app([*words, "--help"], console=console)
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
