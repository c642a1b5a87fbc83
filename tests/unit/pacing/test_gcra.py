"""Requests are spaced evenly, and lateness is caught up by no more than tau."""

from __future__ import annotations

import math

import pytest

from harvester.pacing.gcra import Pacer, parse_rate


def test_the_first_request_goes_at_once() -> None:
    assert Pacer().wait(0.0, 20.0) == 0.0


def test_the_second_waits_one_over_the_rate() -> None:
    pacer = Pacer(tau=0.0)
    pacer.sent(10.0, 20.0)
    assert pacer.wait(10.0, 20.0) == pytest.approx(0.05)


def test_a_late_timer_is_caught_up() -> None:
    pacer = Pacer(tau=0.02)
    pacer.sent(0.0, 10.0)
    pacer.sent(0.095, 10.0)  # due at 0.08: 15 ms late
    assert pacer.wait(0.095, 10.0) == pytest.approx(0.085)


def test_a_pause_is_not_saved_up() -> None:
    pacer = Pacer(tau=0.02)
    pacer.sent(0.0, 10.0)
    pacer.sent(60.0, 10.0)
    assert pacer.wait(60.0, 10.0) == pytest.approx(0.08)


def test_a_burst_may_be_granted() -> None:
    pacer = Pacer(burst=3.0, tau=0.0)
    for _ in range(3):
        assert pacer.wait(5.0, 1.0) == 0.0
        pacer.sent(5.0, 1.0)
    assert pacer.wait(5.0, 1.0) == pytest.approx(1.0)


def test_a_slower_rate_holds_for_the_gap_that_is_open() -> None:
    pacer = Pacer(tau=0.0)
    pacer.sent(0.0, 100.0)
    assert pacer.wait(0.0, 0.5) == pytest.approx(2.0)
    assert pacer.wait(0.0, math.inf) == 0.0


@pytest.mark.parametrize(("burst", "tau"), [(0.5, 0.0), (1.0, -1.0)])
def test_less_than_one_request_or_no_time_is_refused(burst: float, tau: float) -> None:
    with pytest.raises(ValueError, match="at least"):
        Pacer(burst=burst, tau=tau)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("20/s", 20.0), ("100/min", 100 / 60), ("5000/h", 5000 / 3600), (" 0.5 / s ", 0.5)],
)
def test_rates_are_read_a_second_a_minute_an_hour(text: str, rate: float) -> None:
    assert parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize(
    "text", ["", "20", "20/d", "0/s", "-1/s", "1e3/s", "/s", "20/s/s", "٣/s", "9" * 400 + "/s"]
)
def test_what_is_no_rate_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="20/s, 100/min or 5000/h"):
        parse_rate(text)
