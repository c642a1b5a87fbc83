"""What a night learned is the next one's beginning, and nothing worse than nothing when it can't be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from harvester.learned_limits import KEEP, LearnedLimits
from harvester.pacing.learning import Learned

pytestmark = pytest.mark.anyio
T = TypeVar("T")
NOW = 1_795_132_800.0
KNOWN = Learned(rate=47.5, refused_at=13)


async def at_once(call: Callable[[], T]) -> T:
    return call()


async def test_what_is_remembered_is_recalled_for_the_same_client_for_a_month(tmp_path: Path) -> None:
    memory = LearnedLimits(tmp_path / "limits", at_once)
    await memory.remember("flyt", "flyt-oneroster env:ID", NOW, KNOWN)
    assert await memory.recall("flyt", "flyt-oneroster env:ID", NOW + 60) == KNOWN
    assert await memory.recall("flyt", "flyt-oneroster env:OTHER", NOW + 60) is None
    assert await memory.recall("flyt", "flyt-oneroster env:ID", NOW + KEEP) is None
    assert await memory.recall("flyt", "flyt-oneroster env:ID", NOW - 60) is None
    assert await memory.recall("other", "flyt-oneroster env:ID", NOW + 60) is None


async def test_a_night_without_refusals_leaves_what_was_known(tmp_path: Path) -> None:
    memory = LearnedLimits(tmp_path, at_once)
    await memory.remember("flyt", "a", NOW, KNOWN)
    await memory.remember("flyt", "a", NOW, Learned())
    assert await memory.recall("flyt", "a", NOW) == KNOWN


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"schema_version": 1}', b"\xff", b'{"schema_version":1,"about":"a","found":0}'],
)
async def test_what_can_not_be_read_is_no_memory(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "flyt.json").write_bytes(damage)
    assert await LearnedLimits(tmp_path, at_once).recall("flyt", "a", NOW) is None


async def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("a file where the folder should be")
    await LearnedLimits(tmp_path / "limits", at_once).remember("flyt", "a", NOW, KNOWN)
