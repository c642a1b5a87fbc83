"""What an answer means, and whether to ask again: numbers and decisions, no clock, no dice, no sending.

The figures are those of docs/architecture.md, "Retries": full jitter as in AWS's research (the wait is drawn
from nothing up to the whole step), a bucket as in gRPC's A6, a share of retries as in Google's SRE book.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from harvester.errors import (
    AuthError,
    ProtocolError,
    ProviderError,
    RefusedError,
    ThrottledError,
    UnreachableError,
)
from harvester.http import messages
from harvester.http.messages import Reply
from harvester.pacing.signals import NOTHING, Signals

PASSING = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses whose cause may pass; 520 to 529 are what proxies in front say instead of 502 and 504."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and after how long. Seconds."""

    attempts: int = 6
    """tries of one request that may fail; a 429 and a renewed token don't count"""
    throttles: int = 30
    """429s that one request takes"""
    equal_bodies: int = 3
    """times that the same unusable body must come to be taken for the server's last word"""
    base: float = 0.1
    """first step after a failure that costs the server little"""
    slow_base: float = 1.0
    """first step after a 429 or a timeout: the server may still be computing what we gave up on"""
    cap: float = 30.0
    longest_wait: float = 3600.0
    """of a Retry-After"""


POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Accept:
    """A success, as far as its status and wholeness go."""


@dataclass(frozen=True, slots=True)
class Again:
    """Ask again after so many seconds."""

    after: float
    reason: str
    throttled: bool = False
    """Refused for our pace: no attempt was spent."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The proof of who we are was refused: get a new one, once."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Give up, with this error."""

    error: ProviderError


Judgement = Accept | Again | Renew | Refuse


def judge(
    reply: Reply,
    *,
    attempt: int,
    renewed: bool,
    jitter: float,
    policy: RetryPolicy = POLICY,
    signals: Signals = NOTHING,
    throttles: int = 0,
    where: str = "",
) -> Judgement:
    """What to do about `reply`.

    `attempt`: the number of this try, from 1, not counting those that were throttled (`throttles` so far)
    or refused before the token was renewed (`renewed`). `jitter`: a number drawn from [0, 1).
    """
    status = reply.status
    if 200 <= status < 300 and not reply.error:
        return Accept()
    if status == 429 or signals.throttled:
        return _throttle(status, throttles + 1, policy, jitter, signals, where)
    if status == 401:
        return Refuse(_unauthorized(where)) if renewed else Renew()
    if 200 <= status < 300 or status == 0 or status in PASSING:
        return _passing(reply, attempt, policy, jitter, signals, where)
    return Refuse(_refused(reply, where))


def _throttle(
    status: int, times: int, policy: RetryPolicy, jitter: float, signals: Signals, where: str
) -> Judgement:
    if times >= policy.throttles:
        return Refuse(_throttled(status, times, where))
    wait = _wait(policy, policy.slow_base, times, jitter, _asked_to_wait(signals))
    return Again(wait, f"HTTP {status}, throttled", throttled=True)


def _passing(
    reply: Reply, attempt: int, policy: RetryPolicy, jitter: float, signals: Signals, where: str
) -> Judgement:
    if attempt >= policy.attempts:
        return Refuse(_given_up(reply, attempt, where))
    slow = reply.error in (messages.SLOW_ANSWER, messages.SLOW_CONNECT) or reply.status in (408, 504)
    base = policy.slow_base if slow else policy.base
    return Again(
        _wait(policy, base, attempt, jitter, signals.retry_after), reply.error or f"HTTP {reply.status}"
    )


def unusable(
    error: ProviderError, *, attempt: int, equal: int, jitter: float, policy: RetryPolicy = POLICY
) -> Again | Refuse:
    """What to do about an answer that arrived whole and can't be used (`error` says why).

    `equal`: how often this very body has come for this request. A broken answer of the moment comes right;
    one that comes the same three times is what the server means.
    """
    if attempt >= policy.attempts or equal >= policy.equal_bodies:
        return Refuse(error)
    return Again(_wait(policy, policy.base, attempt, jitter, None), error.what)


def _wait(policy: RetryPolicy, base: float, number: int, jitter: float, floor: float | None) -> float:
    """Full jitter; a wait that the server names is a floor, with up to 5 % on top lest all wake at once."""
    wait = jitter * min(policy.cap, base * 2.0 ** min(number - 1, 30))
    if floor is None:
        return wait
    return max(wait, min(floor, policy.longest_wait) * (1.0 + 0.05 * jitter))


def _asked_to_wait(signals: Signals) -> float | None:
    if signals.retry_after is None and signals.remaining == 0:
        return signals.reset_after
    return signals.retry_after


def _throttled(status: int, times: int, where: str) -> ThrottledError:
    return ThrottledError(
        f"throttled {times} times in a row (HTTP {status})",
        where=where,
        advice="Lower `limits.rate` or `limits.concurrency` of the application, or ask for a larger plan.",
    )


def _unauthorized(where: str) -> AuthError:
    return AuthError(
        "HTTP 401, also with a new token",
        where=where,
        advice="Check the tenant's credentials and keys with `harvester check`.",
    )


def _given_up(reply: Reply, attempts: int, where: str) -> ProviderError:
    if reply.error == messages.MALFORMED:
        return ProtocolError(reply.error, where=where, advice="Ask the provider what answers here.")
    what = reply.error or f"HTTP {reply.status}{_minor(reply.body)}"
    if reply.error.startswith("TLS"):
        advice = "Check the host name; behind an inspecting proxy, name its authority with `ca_file`."
    elif reply.error == messages.UNKNOWN_NAME:
        advice = "Check the host name in `base_url`, and the network."
    else:
        advice = "Run again later; what was committed stays."
    return UnreachableError(
        f"{what} after {attempts} attempts", status=reply.status, where=where, advice=advice
    )


_ADVICE = {
    400: "The server does not take a parameter: check `filter`, `fields` and `sort` with `harvester check`.",
    403: "The token lacks the right to this resource: check the application's scope with the provider.",
    404: "The server has no such resource for this tenant: check `base_url` and `resources`.",
    410: "The resource was withdrawn: take it out of `resources`.",
    422: "The server does not take a parameter: try a smaller `limits.page_size`.",
}


def _refused(reply: Reply, where: str) -> RefusedError:
    status = reply.status
    if 300 <= status < 400:
        host = _host_of(reply.headers.get("location", ""))
        to = f" to host {host}" if host else ""
        return RefusedError(
            f"HTTP {status}: redirect{to} refused",
            status=status,
            where=where,
            advice="Credentials never follow a redirect; put the final address into `base_url`.",
        )
    return RefusedError(
        f"HTTP {status}{_minor(reply.body)}",
        status=status,
        where=where,
        advice=_ADVICE.get(status, "Ask the provider; asking again would not change it."),
    )


_HOST = re.compile(
    r"\s*(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//(?:[^/?#@]*@)?(\[[0-9a-fA-F:.]+\]|[\w.-]{1,253})(:[0-9]+)?"
)


def _host_of(location: str) -> str:
    """Only the host: paths and queries of redirects hold session ids."""
    match = _HOST.match(location)
    return f"{match[1]}{match[2] or ''}" if match else ("the same host" if location else "")


_MINORS = re.compile(
    rb"invalid_?data|invalid_?filter_?field|invalid_?selection_?field|invalid_?sort_?field|invalid_?uuid|"
    rb"unauthori[sz]ed_?request|forbidden|unknown_?object|server_?busy|internal_server_error|"
    rb"invalid_offset_field|invalid_limit_field",
    re.IGNORECASE,
)


def _minor(body: bytes) -> str:
    """OneRoster's code, which is from a fixed list: the rest of an error body may quote persons."""
    if b"odeMinor" not in body:
        return ""
    match = _MINORS.search(body, 0, 4096)
    return f" ({match[0].decode().lower()})" if match else ""


class RetryBudget:
    """Keeps our retries from making an outage worse, for one application. `now` is passed in, monotonic.

    Spent is it when the bucket is at most half full (10 tokens; a failure takes one, a success gives a
    tenth back; a 500 takes none, as it mostly means one bad record), or when over the last two minutes
    more than a tenth of at least 100 requests were retries.

    A spent budget fails nobody, unlike gRPC's, where a call has a user waiting for it: eight pages in
    flight through one hiccup would spend it, and lose a pull. It makes retries slow instead, up to the cap
    of the backoff, so that all who retry together ask less than they did before; it is the number of
    attempts that ends them.
    """

    TOKENS = 10.0
    RATIO = 0.1
    SHARE = 0.1
    ENOUGH = 100
    WINDOW = 120.0

    def __init__(self) -> None:
        self._tokens = self.TOKENS
        self._served = False
        self._slices: deque[list[float]] = deque()  # [begin, requests, retries], ten seconds each

    def sent(self, now: float, *, retry: bool) -> None:
        """A request goes out."""
        slot = self._slot(now)
        slot[1] += 1
        slot[2] += retry

    def succeeded(self) -> None:
        self._served = True
        self._tokens = min(self.TOKENS, self._tokens + self.RATIO)

    def failed(self, status: int) -> None:
        """An attempt came to nothing (`status` 0: no answer), other than by being throttled."""
        if status != 500:
            self._tokens = max(0.0, self._tokens - 1.0)

    def spent(self, now: float) -> bool:
        """Whether retries are to be slow."""
        if self._tokens <= self.TOKENS / 2:
            return True
        self._slot(now)
        requests = sum(slot[1] for slot in self._slices)
        retries = sum(slot[2] for slot in self._slices)
        return requests > self.ENOUGH and retries > self.SHARE * requests

    def stretch(self, after: float, now: float, jitter: float, policy: RetryPolicy = POLICY) -> float:
        """The wait before a retry: as planned, or half the cap to the cap when the budget is spent.

        Where nothing has succeeded yet, it is the circuit's to be gentle: a misnamed server is soon given up.
        """
        if not self._served or not self.spent(now):
            return after
        return max(after, policy.cap * (0.5 + 0.5 * jitter))

    def _slot(self, now: float) -> list[float]:
        while self._slices and self._slices[0][0] <= now - self.WINDOW:
            self._slices.popleft()
        if not self._slices or self._slices[-1][0] + self.WINDOW / 12 <= now:
            self._slices.append([now, 0.0, 0.0])
        return self._slices[-1]
