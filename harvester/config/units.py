"""Sizes and durations as people write them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from harvester.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|KiB|MiB|GiB)?")
_FACTOR = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def parse_size(text: str | int) -> int:
    """`256MiB` -> bytes. Raises `ValueError` with the forms."""
    match = _SIZE.fullmatch(str(text).strip())
    size = float(match[1]) * _FACTOR[match[2] or "B"] if match else 0.0
    if not 1 <= size < math.inf:
        raise ValueError("Write a size such as 256MiB, 64MB or a number of bytes.")
    return int(size)


def parse_duration(text: str) -> float:
    """`6h` -> seconds. Raises `ValueError` with the forms."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise ValueError("Write a duration such as 90s, 30min, 6h or 1d.")
    return seconds


def parse_moment(text: str) -> str:
    """`2026-11-20T02:00:00+01:00` -> `2026-11-20T01:00:00.000Z`; a date, or no zone, means UTC.

    Raises `UsageError` with the forms.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no moment", advice="Write a date, as in 2026-11-20, or 2026-11-20T02:00:00Z."
        ) from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
