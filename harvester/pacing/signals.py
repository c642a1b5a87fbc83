"""What an answer's headers say about our pace: wait, so much is left, it begins anew then.

Read are Retry-After (RFC 9110, section 10.2.3), the RateLimit and RateLimit-Policy fields of
draft-ietf-httpapi-ratelimit-headers (-08 and later: `"default";r=50;t=30`; -07: `limit=100, remaining=50,
reset=30`; before: three fields), X-RateLimit-* as found in the wild, and Shopify's `32/40`.
Whatever can't be understood is ignored: a header is no reason to fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 3600.0
"""A Retry-After beyond an hour is obeyed for an hour; then one trial request asks again."""
_LONGEST_WINDOW = 31 * 86400.0
_EPOCH = 1e9
"""A reset above this is a moment since 1970 (of 2001 or later), below it a number of seconds."""
_EPOCH_MILLISECONDS = 1e12
_LARGEST_SKEW = 3600.0

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)")
_WHOLE = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*")
_FRACTION = re.compile(r"\s*([0-9]{1,15})\s*/\s*([0-9]{1,15})\s*")
_MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
_PARAMETER = re.compile(r';\s*([a-z]+)\s*=\s*"?([^;"\s]+)')
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_RESET = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_AFTER = "x-ratelimit-reset-after"
_BUCKET = "x-shopify-shop-api-call-limit"
_SPELLINGS = frozenset({"retry-after", "ratelimit", _AFTER, _BUCKET, *_REMAINING, *_RESET})


@dataclass(frozen=True, slots=True)
class Signals:
    """What one answer says. None: it says nothing of that."""

    retry_after: float | None = None
    """seconds, at most an hour"""
    remaining: float | None = None
    """requests left until the reset, under the tightest policy named"""
    reset_after: float | None = None
    """seconds until that policy begins anew"""
    throttled: bool = False
    """Refused because of our pace, and not because of what was asked."""


NOTHING = Signals()
_REFUSED = Signals(throttled=True)


def read(headers: Mapping[str, str], status: int, wall_now: float) -> Signals:
    """The signals of an answer. Header names are lower-case; `wall_now` is seconds since the epoch."""
    if _SPELLINGS.isdisjoint(headers):  # the usual case, on the way of every page
        return _REFUSED if status == 429 else NOTHING
    retry_after = _retry_after(headers, wall_now)
    remaining, reset = _tightest(headers) if "ratelimit" in headers else (None, None)
    if remaining is None:
        remaining, reset = _triple(headers, wall_now)
    throttled = (
        status == 429
        or (status == 503 and retry_after is not None)
        or (status == 403 and (remaining == 0 or retry_after is not None))
    )
    return Signals(retry_after, remaining, reset, throttled)


def _retry_after(headers: Mapping[str, str], wall_now: float) -> float | None:
    text = headers.get("retry-after", "")
    match = _WHOLE.fullmatch(text)
    if match:
        return min(float(match[1]), LONGEST_WAIT)
    moment = _date(text)
    if moment is None:
        return None
    return min(max(0.0, moment - _server_time(headers, wall_now)), LONGEST_WAIT)


def _server_time(headers: Mapping[str, str], wall_now: float) -> float:
    """The server's own idea of now, against which its moments are meant; ours where it gives none.

    A Date more than an hour off is no skew but a wrong clock, so it is not believed.
    """
    moment = _date(headers.get("date", ""))
    return moment if moment is not None and abs(moment - wall_now) <= _LARGEST_SKEW else wall_now


def _date(text: str) -> float | None:
    if not 20 <= len(text) <= 40:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _tightest(headers: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Of the policies in `RateLimit`, the one that leaves the fewest requests a second, for longest."""
    text = headers["ratelimit"].lower()
    if '"' not in text and ";" not in text:  # -07 and before: one dictionary
        members = dict(pair.split("=", 1) for pair in text.replace(" ", "").split(",") if "=" in pair)
        return _number(members.get("remaining")), _window(_number(members.get("reset")))
    policies = dict(_members(headers.get("ratelimit-policy", "").lower()))
    tightest: tuple[float | None, float | None] = (None, None)
    least = (float("inf"), 0.0)
    for name, parameters in _members(text):
        policy = policies.get(name, {})
        if policy.get("qu", "requests") != "requests":
            continue  # bytes or connections, not requests
        remaining = _number(parameters.get("r"))
        reset = _window(_number(parameters.get("t") or policy.get("w")))
        if remaining is None:
            continue
        pace = (remaining / reset if reset else remaining, -(reset or 0.0))
        if pace < least:
            least, tightest = pace, (remaining, reset)
    return tightest


def _members(text: str) -> list[tuple[str, dict[str, str]]]:
    """The items of a structured-field list (RFC 9651, section 3.1), each with its parameters."""
    found = []
    for member in _MEMBER.findall(text):
        name, _, _ = member.partition(";")
        found.append((name.strip(), dict(_PARAMETER.findall(member))))
    return found


def _triple(headers: Mapping[str, str], wall_now: float) -> tuple[float | None, float | None]:
    remaining = _first(headers, _REMAINING)
    bucket = _FRACTION.fullmatch(headers.get(_BUCKET, "")) if remaining is None else None
    if bucket:
        return max(0.0, float(bucket[2]) - float(bucket[1])), None
    after = _number(headers.get(_AFTER))
    if after is not None:
        return remaining, _window(after)
    reset = _first(headers, _RESET)
    if reset is not None and reset > _EPOCH:
        moment = reset / 1000.0 if reset > _EPOCH_MILLISECONDS else reset
        reset = max(0.0, moment - _server_time(headers, wall_now))
    return remaining, _window(reset)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    return next((value for name in names if (value := _number(headers.get(name))) is not None), None)


def _window(seconds: float | None) -> float | None:
    """No limit that we know of is reckoned over more than a month."""
    return seconds if seconds is not None and seconds <= _LONGEST_WINDOW else None


def _number(text: str | None) -> float | None:
    """The number that a field begins with; of a repeated field, the first."""
    match = _NUMBER.match(text) if text else None
    value = float(match[1]) if match else None
    return value if value is not None and value < 1e15 else None
