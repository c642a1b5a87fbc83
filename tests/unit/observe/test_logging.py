"""The log: JSON lines, no secret in any of them, and no line that data could forge."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from _pytest.logging import LogCaptureHandler

from harvester.config.secrets import Secret, Secrets
from harvester.events import PageFetched, PullFinished, QuotaAlert
from harvester.model import Pull
from harvester.observe.logging import LogObserver, configure, forget

CANARY = "c4n4ry+secret/value="


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[Path, io.StringIO]]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    secrets = Secrets(environ={})
    secrets.remember(Secret(CANARY))
    errors = io.StringIO()
    configure(path=tmp_path / "run.ndjson", level="debug", scrub=secrets.scrub, errors=errors)
    file = root.handlers[0]
    assert isinstance(file, logging.StreamHandler)
    yield tmp_path / "run.ndjson", errors
    file.stream.close()
    root.handlers, root.level = kept, level
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_secret_in_a_value_a_key_a_local_or_a_message_does_not_come_out(
    log: tuple[Path, io.StringIO],
) -> None:
    path, errors = log
    logger = structlog.get_logger("harvester.test")
    logger.info("said", token=CANARY, nested={"a": [CANARY]}, header=f"Bearer {CANARY}", plain="kept")
    try:
        local = CANARY
        raise ValueError(f"failed with {local}")
    except ValueError:
        logger.exception("crashed")
    logging.getLogger("aiohttp.client").error("headers were %s", {"Authorization": f"Basic {CANARY}"})
    text = path.read_text() + errors.getvalue()
    assert CANARY not in text
    assert "kept" in text
    assert '"exc_type":"ValueError"' in text
    assert "locals" not in text


def test_shapes_of_secrets_that_nobody_knows_are_hidden_too(log: tuple[Path, io.StringIO]) -> None:
    path, _ = log
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdef"
    structlog.get_logger("harvester.test").info(
        "said", a=f"x {jwt} y", b='oauth_signature="abc%3D"', c="?access_token=zzz&x=1"
    )
    text = path.read_text()
    assert all(secret not in text for secret in (jwt, "abc%3D", "zzz"))
    assert "x=1" in text


def test_every_line_is_json_whatever_is_logged(log: tuple[Path, io.StringIO]) -> None:
    path, _ = log
    structlog.get_logger("harvester.test").info(
        "said", data='x\n{"event":"forged"}\r\u2028', odd=object(), raw=b"\xff"
    )
    (line,) = path.read_bytes().split(b"\n")[:-1]
    assert json.loads(line)["event"] == "said"


def test_pulls_are_info_pages_debug_and_alerts_warnings(log: tuple[Path, io.StringIO]) -> None:
    path, errors = log
    observe, pull = LogObserver(), Pull("p", "a", "oslo", "users")
    observe(PageFetched(pull, 0, 100, 5000, 0.1))
    observe(PullFinished(pull, "committed", 100, "certified", "because"))
    observe(QuotaAlert("a", "day", 95, 100, 95))
    levels = {json.loads(line)["event"]: json.loads(line)["level"] for line in path.read_text().splitlines()}
    assert levels == {"page": "debug", "pull_finished": "info", "quota": "warning"}
    assert "quota" in errors.getvalue()
    assert "pull_finished" not in errors.getvalue()
    assert path.stat().st_mode & 0o777 == 0o600


def test_causes_notes_groups_and_stacks_are_cleaned_like_the_error_itself(
    log: tuple[Path, io.StringIO],
) -> None:
    path, errors = log
    kari = "Ka" + "ri"
    try:
        try:
            raise ValueError(f"first {CANARY}")
        except ValueError as first:
            second = KeyError(f"{kari} {CANARY}")
            second.add_note(f"noted {CANARY}, of '{kari}'")
            raise ExceptionGroup(f"group {CANARY}", [second, OSError(f"third {CANARY}")]) from first
    except ExceptionGroup:
        structlog.get_logger("harvester.test").exception("crashed", stack_info=True)
        logging.getLogger("aiohttp.server").exception("crashed with %r", kari, stack_info=True)
    text = path.read_text() + errors.getvalue()
    assert text.count("first ***") == 2
    assert text.count("third ***") == 2
    assert text.count("noted ***") == 2
    assert CANARY not in text
    assert kari not in text


def test_what_python_itself_would_print_goes_the_same_way(
    log: tuple[Path, io.StringIO], capfd: pytest.CaptureFixture[str]
) -> None:
    path, errors = log

    class Leaves:
        def __del__(self) -> None:
            raise ValueError(f"finalizer {CANARY}")

    def crash() -> None:
        raise ValueError(f"thread {CANARY}")

    async def forget_a_task() -> None:
        async def fail() -> None:
            raise ValueError(f"task {CANARY} of 'Kari'")

        task = asyncio.create_task(fail(), name=CANARY)
        await asyncio.sleep(0)
        del task
        gc.collect()

    Leaves()
    gc.collect()
    thread = threading.Thread(target=crash)
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"warned of {CANARY}", ResourceWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    asyncio.run(forget_a_task())
    try:
        raise ValueError(f"main {CANARY}")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    printed = capfd.readouterr()
    text = path.read_text() + errors.getvalue() + printed.out + printed.err
    for what in ("finalizer ***", "thread ***", "warned of ***", "task ***", "main ***", "never retrieved"):
        assert what in text
    assert CANARY not in text
    assert "Kari" not in text
    assert "Traceback" not in printed.err


def test_a_line_that_cannot_be_written_says_so_without_its_arguments(
    log: tuple[Path, io.StringIO], capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, LogCaptureHandler)]
    logging.getLogger("aiohttp.client").error("a number: %d", CANARY)
    said = capfd.readouterr().err
    assert "a line of aiohttp.client could not be logged: TypeError" in said
    assert CANARY not in said
    assert "Traceback" not in said


def test_an_event_with_line_breaks_and_commands_stays_one_line(log: tuple[Path, io.StringIO]) -> None:
    path, errors = log
    structlog.get_logger("harvester.test").warning("a\r\nb\x1b[2J\u2028c", **{"k\ney": "v\nw"})
    assert len(path.read_bytes().splitlines()) == 1
    assert errors.getvalue().count("\n") == 1
    assert not set("\r\x1b\u2028") & set(errors.getvalue())


def test_warnings_are_cleaned_also_where_there_is_no_file(
    log: tuple[Path, io.StringIO],
) -> None:
    errors = io.StringIO()
    secrets = Secrets(environ={})
    secrets.remember(Secret(CANARY))
    configure(path=None, level="warning", scrub=secrets.scrub, errors=errors)
    logging.getLogger("asyncio").error("of %s", CANARY)
    assert errors.getvalue() == "harvester: error: of ***\n"


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for age, name in enumerate(("d", "c", "b", "a")):
        path = tmp_path / f"{name}.ndjson"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "other.txt").touch()
    forget(tmp_path, newest=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.ndjson", "d.ndjson", "other.txt"]
