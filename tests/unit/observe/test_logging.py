"""The log: JSON lines, no secret in any of them, and no line that data could forge."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from harvester.config.secrets import Secret, Secrets
from harvester.events import PageFetched, PullFinished, QuotaAlert
from harvester.model import Pull
from harvester.observe.logging import LogObserver, configure

CANARY = "c4n4ry+secret/value="


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[Path, io.StringIO]]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    secrets = Secrets(environ={})
    secrets.remember(Secret(CANARY))
    errors = io.StringIO()
    configure(path=tmp_path / "run.ndjson", level="debug", scrub=secrets.scrub, errors=errors)
    file = root.handlers[0]
    assert isinstance(file, logging.StreamHandler)
    yield tmp_path / "run.ndjson", errors
    file.stream.close()
    root.handlers, root.level = kept, level
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
