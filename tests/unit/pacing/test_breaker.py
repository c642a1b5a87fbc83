"""When a circuit opens, and how it closes."""

from __future__ import annotations

import pytest

from harvester.pacing.breaker import Breaker, Sickness


def told(results: str, *, may_open: bool = True) -> Breaker:
    """A breaker that saw these results at 0 s: `.` good, `x` failed."""
    breaker = Breaker()
    for result in results:
        breaker.answered(0.0, failed=result == "x", trial=False, may_open=may_open)
    return breaker


@pytest.mark.parametrize(
    ("results", "closed"),
    [
        ("x" * 9, True),
        ("x" * 10, False),
        ("." * 5 + "x" * 4 + "x", False),
        ("." * 6 + "x" * 5, True),
        ("." * 50 + "x" * 24, True),
        ("." * 50 + "x" * 25, False),
        ("." * 1000 + "x" * 25, False),
        ("x" * 4 + "." * 46 + "x" * 24, True),
    ],
)
def test_it_opens_when_half_of_the_last_fifty_and_at_least_ten_are_failures(
    results: str, closed: bool
) -> None:
    assert told(results).closed is closed


def test_an_open_circuit_lets_nobody_through_for_thirty_seconds() -> None:
    breaker = told("x" * 10)
    assert breaker.wait(0.0) == 30.0
    assert breaker.wait(29.0) == 1.0
    assert breaker.since == 0.0


def test_then_one_trial_goes_and_the_others_wait_for_it() -> None:
    breaker = told("x" * 10)
    assert breaker.wait(30.0) == 0.0
    assert breaker.sent() is True
    assert breaker.wait(31.0) is None


def test_a_good_trial_closes_it_with_a_clean_slate() -> None:
    breaker = told("x" * 10)
    breaker.sent()
    breaker.answered(31.0, failed=False, trial=True)
    assert breaker.closed
    assert breaker.since is None
    breaker.answered(31.0, failed=True, trial=False)
    assert breaker.closed


def test_a_failed_trial_opens_it_for_twice_as_long_up_to_ten_minutes() -> None:
    breaker, now, pauses = told("x" * 10), 0.0, []
    for _ in range(7):
        wait = breaker.wait(now)
        assert wait is not None
        pauses.append(wait)
        now += wait
        assert breaker.sent()
        breaker.answered(now, failed=True, trial=True)
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    assert breaker.since == 0.0


def test_a_trial_that_was_given_up_is_made_by_another() -> None:
    breaker = told("x" * 10)
    breaker.sent()
    breaker.forgotten(trial=True)
    assert breaker.wait(30.0) == 0.0


def test_echoes_of_requests_sent_before_decide_nothing() -> None:
    breaker = told("x" * 10)
    breaker.answered(5.0, failed=False, trial=False)
    breaker.answered(5.0, failed=True, trial=False)
    breaker.forgotten(trial=False)
    assert breaker.wait(5.0) == 25.0


def test_it_stays_closed_while_it_may_not_open() -> None:
    breaker = told("x" * 50, may_open=False)
    assert breaker.closed
    breaker.answered(0.0, failed=True, trial=False)
    assert not breaker.closed


def test_its_repr_says_where_it_stands() -> None:
    breaker = told("..x")
    assert repr(breaker) == "closed, 1 of 3 failed"
    breaker = told("x" * 10)
    assert repr(breaker) == "open until 30"
    breaker.sent()
    assert repr(breaker) == "half open, trial out"


@pytest.mark.parametrize(
    ("failing", "tenants", "spread"),
    [
        ("a", 1, True),
        ("a", 2, False),
        ("ab", 2, True),
        ("ab", 100, False),
        ("abc", 100, True),
        ("aaaa", 3, False),
    ],
)
def test_a_host_is_sick_when_three_of_its_tenants_are(failing: str, tenants: int, spread: bool) -> None:
    sickness = Sickness()
    for tenant in failing:
        sickness.answered(tenant, failed=True)
    assert sickness.spread(tenants) is spread


def test_failures_are_forgotten_after_fifty_results() -> None:
    sickness = Sickness()
    for tenant in "abc":
        sickness.answered(tenant, failed=True)
    for _ in range(48):
        sickness.answered("a", failed=False)
    assert not sickness.spread(100)
