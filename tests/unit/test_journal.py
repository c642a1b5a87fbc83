"""The journal: what a run set out to do survives torn tails, flipped bytes and foreign lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.errors import UsageError
from harvester.journal import Journal, recover, unfinished
from harvester.model import Pull, Run

RUN = Run("20261120T020000Z-7f3a9c", 1795140000.0)
PULLS = [Pull("p", "a", tenant, "users") for tenant in ("bergen", "oslo")]


def written(folder: Path, *states: str) -> bytes:
    journal = Journal(folder, RUN.id)
    journal.begin(RUN, "nightly", PULLS)
    for pull, state in zip(PULLS, states, strict=False):
        journal.settle(pull, state)
    journal.close()
    return (folder / f"{RUN.id}.journal").read_bytes()


def test_a_run_is_recovered_as_it_was_planned(tmp_path: Path) -> None:
    written(tmp_path, "committed")
    recovered = recover(tmp_path, RUN.id)
    assert (recovered.run, recovered.pulls, recovered.states) == (RUN, PULLS, {"bergen/users": "committed"})
    assert recovered.unfinished


def test_a_torn_tail_loses_only_the_last_entry_wherever_it_tore(tmp_path: Path) -> None:
    whole = written(tmp_path, "committed", "failed")
    first = whole.index(b"\n") + 1
    second = whole.index(b"\n", first) + 1
    for length in range(first, len(whole)):
        (tmp_path / f"{RUN.id}.journal").write_bytes(whole[:length])
        recovered = recover(tmp_path, RUN.id)
        assert recovered.pulls == PULLS
        assert ("bergen/users" in recovered.states) == (length >= second - 1)


def test_after_a_torn_tail_new_entries_are_read_again(tmp_path: Path) -> None:
    whole = written(tmp_path, "committed")
    (tmp_path / f"{RUN.id}.journal").write_bytes(whole[:-5])
    journal = Journal(tmp_path, RUN.id)
    journal.settle(PULLS[1], "held")
    journal.close()
    assert recover(tmp_path, RUN.id).states == {"oslo/users": "held"}


def test_a_flipped_byte_is_recognised(tmp_path: Path) -> None:
    whole = bytearray(written(tmp_path, "committed"))
    whole[-4] ^= 1
    (tmp_path / f"{RUN.id}.journal").write_bytes(whole)
    assert recover(tmp_path, RUN.id).states == {}


def test_a_run_is_finished_when_its_manifest_is_written_too(tmp_path: Path) -> None:
    written(tmp_path, "committed", "held")
    assert [found.settled for found in unfinished(tmp_path)] == [2]
    journal = Journal(tmp_path, RUN.id)
    journal.end()
    journal.close()
    assert list(unfinished(tmp_path)) == []


def test_the_newest_unfinished_run_is_found(tmp_path: Path) -> None:
    written(tmp_path, "committed", "failed")
    assert [found.run for found in unfinished(tmp_path)] == [RUN]


def test_an_unknown_run_and_an_empty_journal_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run"):
        recover(tmp_path, "unknown")
    (tmp_path / "empty.journal").touch()
    with pytest.raises(UsageError, match="fresh run"):
        recover(tmp_path, "empty")
