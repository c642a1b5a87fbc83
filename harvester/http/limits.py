"""Ceilings: the most that one answer may cost us in bytes, seconds and patience."""

from __future__ import annotations

from dataclasses import dataclass

MiB = 1024 * 1024
GiB = 1024 * MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """Beyond any of these an answer is given up. Bytes and seconds; the defaults are for one page."""

    body: int = 32 * MiB
    """decoded; 1,000 records of OneRoster are about 0.6 MiB"""
    ratio: float = 200.0
    """decoded bytes per byte received; real rosters compress 5- to 30-fold"""
    ratio_after: int = MiB
    """decoded bytes from which the ratio counts"""
    total: float = 120.0
    """seconds from the first byte out to the last byte in"""
    connect: float = 10.0
    """seconds for name, socket and TLS together"""
    read: float = 60.0
    """seconds of silence: a balancer that drops packets never says so"""
    least_rate: float = 1000.0
    """bytes a second: a drip of a byte at a time keeps `read` satisfied for ever"""
    rate_over: float = 30.0
    """seconds over which the rate is judged"""


PAGE = Ceiling()
DOCUMENT = Ceiling(body=8 * GiB, total=6 * 3600.0)
"""A whole export in one answer, streamed: a PIFU document of a large county is some hundred megabytes."""
ERROR_BODY = 64 * 1024
"""Bytes kept of an answer that is no success: enough for any provider's status object."""
