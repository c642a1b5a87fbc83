"""A run's journal, torn anywhere or with bytes flipped: what is recovered is a prefix of what was written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.checked_lines import bodies_of, line_of
from harvester.errors import HarvesterError
from harvester.journal import Journal, recover, unfinished
from harvester.model import Pull, Run

RUN = Run("20261120T020000Z-7f3a9c", 1795140000.0)
PULLS = [Pull("p", "a", f"tenant-{number}", "users") for number in range(6)]
STATES = st.sampled_from(["committed", "held", "failed", "interrupted"])
STEPS = st.lists(st.tuples(st.sampled_from(PULLS), STATES), max_size=12)


def written(folder: Path, steps: list[tuple[Pull, str]], *, ended: bool) -> bytes:
    journal = Journal(folder, RUN.id)
    journal.begin(RUN, "nightly", PULLS)
    for pull, state in steps:
        journal.settle(pull, state)
    if ended:
        journal.end()
    journal.close()
    return (folder / f"{RUN.id}.journal").read_bytes()


def states(steps: list[tuple[Pull, str]]) -> dict[str, str]:
    return {pull.key: state for pull, state in steps}


@given(steps=STEPS, ended=st.booleans(), share=st.floats(0.0, 1.0), more=STEPS)
@settings(max_examples=150, deadline=None)
def test_torn_anywhere_it_tells_a_prefix_and_is_gone_on_with(
    steps: list[tuple[Pull, str]], ended: bool, share: float, more: list[tuple[Pull, str]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = written(folder, steps, ended=ended)
        torn = whole[: round(share * len(whole))]
        (folder / f"{RUN.id}.journal").write_bytes(torn)
        first = whole.index(b"\n")
        if len(torn) < first:
            assert list(unfinished(folder)) == []
            return
        found = recover(folder, RUN.id)
        assert (found.run, found.pulls) == (RUN, PULLS)
        prefixes = [states(steps[:count]) for count in range(len(steps) + 1)]
        assert found.states in prefixes
        assert not found.ended or len(torn) >= len(whole) - 1
        # A life more: what it writes is read, whatever the tear.
        journal = Journal(folder, RUN.id)
        for pull, state in more:
            journal.settle(pull, state)
        journal.close()
        assert recover(folder, RUN.id).states == {**found.states, **states(more)}


@given(
    steps=STEPS,
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_with_flipped_bytes_nothing_is_told_that_was_not_written(
    steps: list[tuple[Pull, str]], flips: list[tuple[int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = bytearray(written(folder, steps, ended=False))
        for place, mask in flips:
            raw[place % len(raw)] ^= mask
        (folder / f"{RUN.id}.journal").write_bytes(raw)
        try:
            found = recover(folder, RUN.id)
        except HarvesterError:
            return
        assert (found.run, found.pulls, found.ended) == (RUN, PULLS, False)
        assert set(found.states.items()) <= {(pull.key, state) for pull, state in steps}


@given(raw=st.binary(max_size=300) | st.lists(st.binary(max_size=40)).map(b"\n".join))
@settings(max_examples=200)
def test_any_bytes_are_a_journal_or_refused_in_our_words(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "some.journal").write_bytes(raw)
        try:
            recover(folder, "some")
        except HarvesterError:
            assert list(unfinished(folder)) == []


@given(
    entries=st.lists(
        st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=9), max_size=3)
    ),
    cut=st.integers(0, 10**6),
)
def test_checked_lines_cut_anywhere_give_a_prefix(entries: list[dict[str, object]], cut: int) -> None:
    lines = [line_of(entry) for entry in entries]
    raw = b"".join(lines)
    bodies = list(bodies_of(raw[: cut % (len(raw) + 1)]))
    whole = [body for body in bodies if body is not None]
    assert whole == [line.partition(b"\t")[2][:-1] for line in lines[: len(whole)]]
    assert bodies.count(None) <= 1
