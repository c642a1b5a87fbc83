"""What headers say of our pace, in all the spellings in use."""

from __future__ import annotations

import pytest

from harvester.pacing.signals import LONGEST_WAIT, NOTHING, Signals, read

NOW = 1_795_132_800.0  # Fri, 20 Nov 2026 00:00:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("58", 58.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("86400", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("Fri, 20 Nov 2026 00:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 00:00:30", 30.0),
        ("Friday, 20-Nov-26 00:00:30 GMT", 30.0),
        ("Thu, 19 Nov 2026 00:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2126 00:00:00 GMT", LONGEST_WAIT),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("inf", None),
        ("1e9", None),
        ("Fri, 99 Nov 2026 99:99:99 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_garbage_is_ignored(text: str, seconds: float | None) -> None:
    assert read({"retry-after": text}, 429, NOW) == Signals(retry_after=seconds, throttled=True)


def test_a_date_is_meant_by_the_servers_own_clock() -> None:
    headers = {"retry-after": "Fri, 20 Nov 2026 00:05:30 GMT", "date": "Fri, 20 Nov 2026 00:05:00 GMT"}
    assert read(headers, 429, NOW).retry_after == 30.0


def test_a_server_clock_that_is_hours_off_is_not_believed() -> None:
    headers = {"retry-after": "Fri, 20 Nov 2026 00:00:30 GMT", "date": "Thu, 01 Jan 1970 00:00:00 GMT"}
    assert read(headers, 429, NOW).retry_after == 30.0


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
        {"ratelimit": "default;r=50;t=30"},
        {"ratelimit": '"default" ; r=50 ; t=30'},
        {"ratelimit": '"default";r=50', "ratelimit-policy": '"default";q=100;w=30'},
        {"ratelimit": "limit=100, remaining=50, reset=30"},
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "30"},
        {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "50", "x-ratelimit-reset": "30"},
        {"x-ratelimit-remaining": "50", "x-ratelimit-reset": str(int(NOW) + 30)},
        {"x-ratelimit-remaining": "50", "x-ratelimit-reset": str((int(NOW) + 30) * 1000)},
        {"x-ratelimit-remaining": "50", "x-ratelimit-reset": "1700000000", "x-ratelimit-reset-after": "30"},
        {"x-rate-limit-remaining": "50", "x-rate-limit-reset": "30"},
    ],
)
def test_fifty_left_for_thirty_seconds_in_every_spelling(headers: dict[str, str]) -> None:
    assert read(headers, 200, NOW) == Signals(remaining=50.0, reset_after=30.0)


def test_the_tightest_of_several_policies_counts() -> None:
    headers = {"ratelimit": '"burst, short";r=90;t=10, "day";r=100;t=50000'}
    assert read(headers, 200, NOW) == Signals(remaining=100.0, reset_after=50000.0)


def test_of_several_exhausted_policies_the_one_that_lasts_longest_counts() -> None:
    headers = {"ratelimit": '"burst";r=0;t=10, "day";r=0;t=50000'}
    assert read(headers, 429, NOW).reset_after == 50000.0


def test_a_policy_of_bytes_is_no_policy_of_requests() -> None:
    headers = {
        "ratelimit": '"bytes";r=1;t=60, "default";r=50;t=30',
        "ratelimit-policy": '"bytes";q=65535;qu="content-bytes";w=60, "default";q=100;w=60',
    }
    assert read(headers, 200, NOW) == Signals(remaining=50.0, reset_after=30.0)


def test_shopifys_bucket_says_what_is_left() -> None:
    headers = {"x-shopify-shop-api-call-limit": "32/40"}
    assert read(headers, 200, NOW) == Signals(remaining=8.0)


@pytest.mark.parametrize("text", ["default", ";;;", '"', "r=x;t=y", "remaining=,reset", "=,=,"])
def test_a_ratelimit_that_is_none_says_nothing(text: str) -> None:
    assert read({"ratelimit": text}, 200, NOW) == NOTHING


def test_a_window_of_years_is_not_believed() -> None:
    assert read({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "99999999"}, 200, NOW).reset_after is None


@pytest.mark.parametrize(
    ("status", "headers", "throttled"),
    [
        (429, {}, True),
        (200, {"x-ratelimit-remaining": "0"}, False),
        (403, {}, False),
        (403, {"x-ratelimit-remaining": "12"}, False),
        (403, {"x-ratelimit-remaining": "0"}, True),
        (403, {"retry-after": "60"}, True),
        (503, {}, False),
        (503, {"retry-after": "60"}, True),
        (503, {"retry-after": "later"}, False),
        (500, {"retry-after": "60"}, False),
    ],
)
def test_which_refusals_are_about_our_pace(status: int, headers: dict[str, str], throttled: bool) -> None:
    assert read(headers, status, NOW).throttled is throttled
