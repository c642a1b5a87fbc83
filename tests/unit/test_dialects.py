"""What was found out about a source: kept for a week, for the same requests, and never an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harvester.dialects import KEEP, Dialects, Finding
from harvester.model import Pull
from harvester.offload import Threads
from harvester.paging.keyset import Proof

pytestmark = pytest.mark.anyio

PULL = Pull("oneroster-v1p2", "app", "oslo", "users")
FILE = "oneroster-v1p2.users.oslo.json"
FOUND = Finding(Proof(">=", "codepoint", "2026-11-21"))


async def test_it_is_believed_for_a_week_and_for_the_same_requests(tmp_path: Path) -> None:
    dialects = Dialects(tmp_path / "dialects", Threads())
    assert await dialects.recall(PULL, "asked", 0.0) is None
    await dialects.remember(PULL, "asked", 1000.0, FOUND)
    assert await dialects.recall(PULL, "asked", 1000.0) == FOUND
    assert await dialects.recall(PULL, "asked", 999.0 + KEEP) == FOUND
    assert await dialects.recall(PULL, "asked", 1000.0 + KEEP) is None
    assert await dialects.recall(PULL, "asked", 999.0) is None, "of a clock that was set back"
    assert await dialects.recall(PULL, "otherwise", 1000.0) is None
    assert await dialects.recall(replace(PULL, application="other"), "asked", 1000.0) is None
    assert await dialects.recall(replace(PULL, tenant="bergen"), "asked", 1000.0) is None


async def test_what_was_contradicted_is_remembered_instead(tmp_path: Path) -> None:
    dialects = Dialects(tmp_path, Threads())
    await dialects.remember(PULL, "asked", 1000.0, FOUND)
    await dialects.remember(PULL, "asked", 1001.0, Finding(None, "it lied"))
    assert await dialects.recall(PULL, "asked", 1002.0) == Finding(None, "it lied")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema_version":1}', b"\xff", b"null"])
async def test_a_damaged_file_is_no_memory(tmp_path: Path, damage: bytes) -> None:
    dialects = Dialects(tmp_path, Threads())
    await dialects.remember(PULL, "asked", 1000.0, FOUND)
    (tmp_path / FILE).write_bytes(damage)
    assert await dialects.recall(PULL, "asked", 1000.0) is None


async def test_a_file_of_another_version_or_order_is_no_memory(tmp_path: Path) -> None:
    dialects = Dialects(tmp_path, Threads())
    for old, new in ((b'"schema_version":1', b'"schema_version":2'), (b"codepoint", b"klingon")):
        await dialects.remember(PULL, "asked", 1000.0, FOUND)
        file = tmp_path / FILE
        file.write_bytes(file.read_bytes().replace(old, new))
        assert await dialects.recall(PULL, "asked", 1000.0) is None


async def test_a_disk_that_takes_nothing_is_met_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    await Dialects(tmp_path / "file", Threads()).remember(PULL, "asked", 1000.0, FOUND)
