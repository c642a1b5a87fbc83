"""Guards: what speaks against publishing, by numbers alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.guarding import Comparison, Thresholds, reasons, worst_schools

CALM = Comparison("last-night", before=10_000, now=10_010, added=30, vanished=20)


def rules(seen: Comparison, limits: Thresholds | None = None) -> list[str]:
    return [reason.rule for reason in reasons(seen, limits or Thresholds())]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"now": 0, "vanished": 10_000}, ["emptied"]),
        ({"vanished": 501, "now": 9_500}, ["vanished"]),
        ({"vanished": 500, "now": 9_500}, []),
        ({"before": 1_000, "now": 820, "vanished": 200}, []),
        ({"before": 1_000, "now": 800, "vanished": 201}, ["vanished"]),
        ({"before": 60, "now": 29, "vanished": 31}, ["vanished"]),
        ({"before": 15, "now": 6, "vanished": 9}, []),
        ({"before": 3, "now": 0, "vanished": 3}, ["emptied"]),
        ({"vanished": 9_500, "added": 9_510}, ["ids"]),
        ({"before": 40, "now": 40, "vanished": 40, "added": 40}, ["ids"]),
        ({"tombstones": 2_001}, ["deleted"]),
        ({"tombstones": 2_001, "tombstones_before": 1_500}, []),
        ({"quarantined": 101}, ["quarantined"]),
        ({"quarantined": 101, "quarantined_before": 60}, []),
        ({"quarantined": 10, "now": 20, "before": 20, "vanished": 0}, []),
        ({"schools": {"a": (100, 19), "b": (500, 500)}}, ["school"]),
        ({"schools": {"a": (100, 20), "b": (500, 500)}}, []),
        ({"schools": {"a": (9, 0), "b": (500, 500)}}, []),
        ({"before": 0, "now": 0, "vanished": 0}, []),
    ],
)
def test_each_rule_at_its_threshold(changed: dict[str, object], expected: list[str]) -> None:
    assert rules(replace(CALM, **changed)) == expected  # type: ignore[arg-type]


def test_messages_have_the_numbers() -> None:
    said = [reason.message for reason in reasons(replace(CALM, vanished=2_500, now=7_500), Thresholds())]
    assert said == ["2,500 of 10,000 records of run last-night are gone (25.0%)"]


def test_what_is_switched_off_says_nothing() -> None:
    assert rules(replace(CALM, now=0), Thresholds(enabled=False)) == []


COUNTS = st.integers(0, 5_000)


@given(COUNTS, COUNTS, COUNTS, st.dictionaries(st.text(max_size=2), st.tuples(COUNTS, COUNTS), max_size=5))
def test_losing_more_never_silences_a_guard(
    before: int, gone: int, more: int, schools: dict[str, tuple[int, int]]
) -> None:
    gone = min(gone, before)
    more = min(more, before - gone)
    seen = Comparison("r", before=before, now=before - gone, vanished=gone, schools=schools)
    worse = replace(seen, now=before - gone - more, vanished=gone + more)
    assert bool(rules(seen)) <= bool(rules(worse))


@given(st.integers(1, 10**6), st.dictionaries(st.text(max_size=2), COUNTS, max_size=5))
def test_a_roster_that_only_grew_is_never_held(before: int, schools: dict[str, int]) -> None:
    grown = {school: (count, count + 1) for school, count in schools.items()}
    seen = Comparison("r", before=before, now=before + 5, added=5, schools=grown)
    assert rules(seen) == []
    assert worst_schools(seen) == []
