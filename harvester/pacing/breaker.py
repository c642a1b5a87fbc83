"""When to leave a server alone: a circuit that opens when half of the answers are failures.

A failure is an answer of 5xx or none at all. A refusal for our pace (429), for our credentials (401) or
for what was asked (404) is an answer of a server that works.
"""

from __future__ import annotations

from collections import deque

WINDOW = 50
LEAST = 10
SHARE = 0.5
PAUSE = 30.0
LONGEST_PAUSE = 600.0
SICK_TENANTS = 3
"""A host is down when so many of its tenants fail: one sick district must not stop the rest."""

_MASK = (1 << WINDOW) - 1


class Breaker:
    """closed -> half of the last 50 fail (of at least 10) -> open for 30 s -> one trial -> closed, or 60 s ..

    What comes back from before it opened is an echo, and decides nothing: only the trial does.
    """

    __slots__ = ("_count", "_failures", "_opened", "_trial", "_until", "since")

    def __init__(self) -> None:
        self._failures = 0  # the last 50 results as bits, newest lowest; 1 is a failure
        self._count = 0
        self._until: float | None = None
        self._opened = 0
        self._trial = False
        self.since: float | None = None
        """When this outage began; None while closed."""

    @property
    def closed(self) -> bool:
        return self._until is None

    def wait(self, now: float) -> float | None:
        """Seconds until a request may go; None: not before the trial that is out has been answered."""
        if self._until is None:
            return 0.0
        return None if self._trial else max(0.0, self._until - now)

    def sent(self) -> bool:
        """A request goes, as `wait` allowed. True: it is the trial; hand that back with its answer."""
        self._trial = self._until is not None
        return self._trial

    def answered(self, now: float, *, failed: bool, trial: bool, may_open: bool = True) -> None:
        """One result. `may_open` False: count it, but stay closed for now."""
        if self._until is not None:
            if trial:
                self._trial = False
                if failed:
                    self._open(now)
                else:
                    self._close()
            return
        self._failures = ((self._failures << 1) | failed) & _MASK
        self._count = min(self._count + 1, WINDOW)
        if failed and may_open and self._count >= LEAST and self._failures.bit_count() >= SHARE * self._count:
            self.since = now
            self._open(now)

    def forgotten(self, *, trial: bool) -> None:
        """A request was given up without an answer. If it was the trial, another may be made."""
        if trial:
            self._trial = False

    def _open(self, now: float) -> None:
        self._until = now + min(LONGEST_PAUSE, PAUSE * 2.0 ** min(self._opened, 10))
        self._opened += 1

    def _close(self) -> None:
        self._until = self.since = None
        self._failures = self._count = self._opened = 0

    def __repr__(self) -> str:
        if self._until is None:
            return f"closed, {self._failures.bit_count()} of {self._count} failed"
        return "half open, trial out" if self._trial else f"open until {self._until:g}"


class Sickness:
    """Whose requests failed among a host's last 50: what tells a sick host from a sick tenant."""

    __slots__ = ("_failures", "_recent")

    def __init__(self) -> None:
        self._recent: deque[str | None] = deque()
        self._failures: dict[str, int] = {}

    def answered(self, tenant: str, *, failed: bool) -> None:
        if len(self._recent) == WINDOW:
            self._leave(self._recent.popleft())
        self._recent.append(tenant if failed else None)
        if failed:
            self._failures[tenant] = self._failures.get(tenant, 0) + 1

    def spread(self, tenants: int) -> bool:
        """Whether enough of all `tenants` fail that it is the host; of one or two, all of them."""
        return len(self._failures) >= min(SICK_TENANTS, tenants)

    def _leave(self, tenant: str | None) -> None:
        if tenant is not None:
            left = self._failures[tenant] - 1
            if left:
                self._failures[tenant] = left
            else:
                del self._failures[tenant]
