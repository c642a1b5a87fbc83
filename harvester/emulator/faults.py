"""What goes wrong, on demand: a SPEC such as `503:0.02,latency:50ms,cap:37`, or attributes set by a test.

A fault is a switch of `Faults`, an HTTP status with its probability, or a hidden limit; docs/emulator.md has
all. Dice are seeded, so that the same requests meet the same faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Faults:
    """Everything that can be wrong with a server. All off by default."""

    on: frozenset[str] = frozenset()
    """collections that the faults are about; empty: all. Limits (`rate`, `concurrency`) are everybody's"""
    # ── instead of an answer ──
    statuses: dict[int, float] = field(default_factory=dict)
    """HTTP status -> probability"""
    retry_after: str = ""
    """sent with 429 and 503"""
    nth: dict[int, int] = field(default_factory=dict)
    """number of a request (from 1) -> status; `nth:3=500+7=429` in a SPEC"""
    reset: float = 0.0
    truncate: float = 0.0
    html: float = 0.0
    """200 with a web page"""
    stall: float = 0.0
    """never answers"""
    redirect: str = ""
    """every page is said to be there"""
    latency: float = 0.0
    """seconds"""
    deepslow: float = 0.0
    """seconds more for a page at offset 100,000; grows with the offset"""
    rate: float = 0.0
    """requests a second beyond which it answers 429: a bucket of one second"""
    concurrency: int = 0
    """requests at once beyond which it answers 429"""
    # ── paging ──
    cap: int = 0
    nototal: bool = False
    wrongtotal: int = -1
    texttotal: bool = False
    linkonly: bool = False
    foreignlink: bool = False
    """`next` links lead to another origin"""
    link: str = ""
    """links: `comma` (one too many), `relative`, `prefix` (left out), `past` (`next` on the last page)"""
    notfound_end: bool = False
    empty_end: bool = False
    """an empty page from the last full one on"""
    short_pages: bool = False
    long_pages: bool = False
    ignore_offset: bool = False
    ignore_capitals: bool = False
    unpaged: bool = False
    repeat_last: bool = False
    poison: frozenset[int] = frozenset()
    """offsets whose pages are a 500"""
    largest: int = 0
    """a limit beyond is a 422"""
    refuse_sort: bool = False
    refuse_unknown: bool = False
    filter: str = ""
    """`ignored`, `refused` (a 400), `nocase` (ids are compared without case), `exclusive` (`>=` is taken for
    `>`), `refuse-inclusive` (`>=` is a 400)"""
    disorder: bool = False
    """rows in an order of no meaning"""
    changes: float = 0.0
    """probability of a row inserted, deleted or updated before a page is served"""
    # ── the body ──
    pretty: bool = False
    envelope: str = ""
    """`data` (with total, limit, offset), `meta` (_meta and _links), `path` (the path's own name), `two`"""
    flaws: bool = False
    """records without an id, no objects, broken UTF-8"""
    gzip: bool = False
    bomb: bool = False
    headers: int = 0
    """so many extra headers"""
    cookie: bool = False
    # ── tokens ──
    expires_in: object = 3600
    revoke_after: int = 0
    """requests after which a token is not good any more"""
    token_status: int = 0
    """what the token endpoint answers instead of a token"""

    @classmethod
    def parse(cls, spec: str) -> Faults:
        """A SPEC as faults. Raises `ValueError` saying what is wrong with it."""
        faults = cls()
        kinds = {f.name: f.type for f in fields(cls)}
        for word in filter(None, (word.strip() for word in spec.split(","))):
            name, _, value = word.partition(":")
            name = name.replace("-", "_")
            try:
                if name.isdigit():
                    faults.statuses[int(name)] = float(value or 1)
                elif name in kinds:
                    setattr(faults, name, _value(name, str(kinds[name]), value))
            except ValueError:
                raise ValueError(f"the fault {word!r} has no value that can be read") from None
            if not name.isdigit() and name not in kinds:
                known = ", ".join(sorted(kinds))
                raise ValueError(f"no fault is called {name!r}; there are HTTP statuses and {known}")
        return faults

    def touches(self, collection: str) -> bool:
        """Whether requests for this collection meet them."""
        return not self.on or collection in self.on


def _value(name: str, kind: str, text: str) -> object:
    """A fault's value as its kind has it. Raises `ValueError`."""
    if name == "latency" and text.endswith("ms"):
        return float(text.removesuffix("ms")) / 1000
    if name == "expires_in":  # `5` is a number, `'5'` and `soon` are texts
        return int(text) if text.lstrip("-").isdigit() else text.strip("'")
    return _KINDS.get(kind, str)(text)


def _pairs(text: str) -> dict[int, int]:
    pairs = (pair.split("=") for pair in text.split("+"))
    return {int(key): int(value) for key, value in pairs}


_KINDS: Mapping[str, Callable[[str], object]] = {
    "bool": lambda text: text.lower() not in ("0", "false", "no"),
    "int": int,
    "float": lambda text: float(text or 1),
    "frozenset[int]": lambda text: frozenset(map(int, text.split("+"))),
    "frozenset[str]": lambda text: frozenset(text.split("+")),
    "dict[int, int]": _pairs,
}


class Dice:
    """Decides which requests meet a fault, in the order in which they come."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self.rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._number = 0
        self._tokens = 0.0
        self._refilled: float | None = None

    def status(self, now: float, in_flight: int, collection: str = "") -> int:
        """The status that this request meets instead of an answer; 0 for none."""
        faults = self._faults
        self._number += 1
        if self._number in faults.nth:
            return faults.nth[self._number]
        if (faults.rate and not self._within_rate(now)) or 0 < faults.concurrency < in_flight:
            return 429
        if not faults.touches(collection):
            return 0
        for status, probability in faults.statuses.items():
            if self.rng.random() < probability:
                return status
        return 0

    def _within_rate(self, now: float) -> bool:
        rate = self._faults.rate
        if self._refilled is None:
            self._tokens, self._refilled = max(1.0, rate), now
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._refilled) * rate)
        self._refilled = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def falls(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability
