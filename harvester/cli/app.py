"""`harvester`: the verbs, what every one of them does about errors, and where output goes.

Results go to stdout, everything else to stderr. No traceback reaches a user: an error of ours is one line and
its exit code; anything else is a bug, exit 1, with a log to report.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App

from harvester import __version__
from harvester.cli import backfill, check, history, local, reading, releasing, run, streams
from harvester.errors import HarvesterError
from harvester.observe.redact import one_line

app = App(
    name="harvester",
    help="Harvests rosters from many tenants' APIs into a data lake, and proves what it may claim of them.",
    help_epilogue="Examples:\n\n"
    "  harvester demo                              see it work, with no vendor and no config\n\n"
    "  harvester init nightly.toml                 a commented configuration to start from\n\n"
    "  harvester check nightly.toml                what works, per tenant, and what to do about the rest\n\n"
    "  harvester run nightly.toml --tenant 'oslo*' pull some tenants\n\n"
    "  harvester run nightly.toml --resume         go on where the last run was cut short",
    help_format="plaintext",
    version=__version__,
    result_action="return_value",
)
app.command(run.run)
app.command(run.plan)
app.command(backfill.backfill)
app.command(check.check)
app.command(history.runs)
app.command(history.show)
app.command(releasing.release)
app.command(reading.verify)
app.command(reading.diff)
app.command(reading.snapshot)
app.command(local.emulate)
app.command(local.demo)
app.command(local.init)
app.register_install_completion_command(name="completion", help="Install shell completion (bash, zsh, fish).")

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def main(argv: Sequence[str] | None = None) -> None:
    """The console script. Ends the process with one of the documented exit codes."""
    os.umask(0o077)
    streams.prepare()
    code = invoke(sys.argv[1:] if argv is None else argv)
    streams.finish()
    sys.exit(code)


def invoke(argv: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    try:
        result = app(_resume_value(argv), exit_on_error=False)
        sys.stdout.flush()  # or it fails at the very end, where nobody can say so
    except HarvesterError as error:
        print(one_line(f"harvester: {error}"), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        streams.abandon_stdout()  # nobody reads: nothing more to say
        return 141
    except Exception as error:  # noqa: BLE001 - the last place that can keep a traceback from a user
        return _explained(error)
    return result if isinstance(result, int) else 0


def _explained(error: Exception) -> int:
    from cyclopts import CycloptsError

    if isinstance(error, CycloptsError):
        return 2  # cyclopts has said what is wrong
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        place = error.filename if isinstance(error.filename, str) else "stdout"
        print(one_line(f"harvester: {place}: {error.strerror}. Make room or mend it."), file=sys.stderr)
        streams.abandon_stdout()
        return 7
    print(
        f"harvester: unexpected {type(error).__name__}, a bug of ours: please report it with the run's log",
        file=sys.stderr,
    )
    if os.environ.get("HARVESTER_DEBUG"):  # where it happened; what was said may be a secret or a person's
        import traceback

        print("".join(traceback.format_tb(error.__traceback__)), end="", file=sys.stderr)
    return 1


def _resume_value(argv: Sequence[str]) -> list[str]:
    """`--resume` may stand alone: then it means the newest unfinished run."""
    out: list[str] = []
    tokens = list(argv)
    while tokens:
        word = tokens.pop(0)
        if word == "--resume":
            named = tokens and _RUN_ID.fullmatch(tokens[0]) and not Path(tokens[0]).exists()
            word = f"--resume={tokens.pop(0) if named else 'newest'}"
        out.append(word)
    return out


if __name__ == "__main__":
    main()
