"""One request from wish to answer: permit, proof, sending, judgement, and perhaps all of it again.

Retries are here and nowhere else. Whoever waits gives the permit back first, and stands in line again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from harvester.clock import Clock
from harvester.errors import AuthError, CeilingError, ProtocolError, ProviderError, ThrottledError
from harvester.events import Observer, Retried
from harvester.governor import Governor, Permit
from harvester.http.limits import PAGE, Ceiling
from harvester.http.messages import Reader, Reply, Request, Transport
from harvester.http.proof import Proof, Signer
from harvester.http.retry import (
    POLICY,
    Accept,
    Again,
    Refuse,
    Renew,
    RetryBudget,
    RetryPolicy,
    judge,
    unusable,
)
from harvester.model import Pull
from harvester.pacing.signals import read

T = TypeVar("T")
Feed = Callable[[], Awaitable[Reader]]
"""Begins a try that streams: a reader that has seen nothing yet."""
Turn = Callable[[], Awaitable[None]]
"""Waits for as long as others go first."""


@dataclass(slots=True)
class Tally:
    """What a pull has cost, and how the server's clock stood. Added to by each request."""

    requests: int = 0
    retries: int = 0
    """of them, those that asked again"""
    throttled: int = 0
    """of the retries, those after a refusal for our pace"""
    received: int = 0
    """bytes of bodies, as they came"""
    first_date: float | None = None
    """earliest `Date` of a success: seconds since the epoch, by the server's clock"""
    last_date: float | None = None
    max_age: int = 0
    """largest `Age` of a success: seconds that an answer had lain in a cache"""

    def note(self, reply: Reply) -> None:
        """Count an answer; the request was counted when it went out."""
        self.requests += reply.resent
        self.retries += reply.resent
        self.received += reply.received
        if not 200 <= reply.status < 300:
            return
        date = _date(reply.headers.get("date", ""))
        if date is not None:
            self.first_date = date if self.first_date is None else min(self.first_date, date)
            self.last_date = date if self.last_date is None else max(self.last_date, date)
        age = reply.headers.get("age", "")
        if re.fullmatch(r"[0-9]{1,9}", age):
            self.max_age = max(self.max_age, int(age))


@dataclass(slots=True)
class _Wish:
    """One request and how it has fared so far."""

    pull: Pull
    url: str
    headers: Mapping[str, str]
    ceiling: Ceiling
    policy: RetryPolicy
    tally: Tally
    attempt: int = 1
    throttles: int = 0
    renewed: bool = False
    again: bool = False
    bodies: dict[bytes, int] = field(default_factory=dict)
    """Digests of unusable bodies, and how often each came."""

    @property
    def where(self) -> str:
        """What was asked for whom, as messages name it."""
        return f"{self.pull.key} ({_asked(self.url)})"


@dataclass(frozen=True, slots=True)
class _Sent:
    """How one try ended: an answer, or an error that another try may mend."""

    reply: Reply
    proof: Proof
    error: ProviderError | None = None


class Fetcher:
    """Fetches for one application, as many pulls at once as like."""

    def __init__(
        self,
        transport: Transport,
        governor: Governor,
        signer: Signer,
        clock: Clock,
        rng: random.Random,
        policy: RetryPolicy = POLICY,
        budget: RetryBudget | None = None,
        observe: Observer | None = None,
        *,
        deadline: float | None = None,
        turn: Turn | None = None,
    ) -> None:
        """`deadline`: of the run, on the clock's `now`; a wait beyond it is not begun."""
        self._transport = transport
        self._governor = governor
        self._signer = signer
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._budget = budget if budget is not None else RetryBudget()
        self._observe = observe if observe is not None else _unheard
        self._deadline = deadline
        self._turn = turn

    async def get(
        self,
        pull: Pull,
        url: str,
        *,
        check: Callable[[Reply], T],
        headers: Mapping[str, str] | None = None,
        ceiling: Ceiling | None = None,
        feed: Feed | None = None,
        attempts: int | None = None,
        tally: Tally | None = None,
    ) -> T:
        """What `check` makes of the answer.

        `check` raises `ProtocolError` for a 200 that can't be used, which is asked for again. `feed` begins
        a reader for each try; the body then goes there. Raises `RefusedError`, `AuthError`,
        `ThrottledError`, `UnreachableError`, `ProtocolError`, `CeilingError`, and what the governor raises.
        """
        wish = _Wish(
            pull,
            url,
            headers if headers is not None else {},
            ceiling if ceiling is not None else PAGE,
            self._policy if attempts is None else replace(self._policy, attempts=attempts),
            tally if tally is not None else Tally(),
        )
        while True:
            sent = await self._send(wish, None if feed is None else await feed())
            match self._judge(wish, sent):
                case Accept():
                    try:
                        usable = check(sent.reply)
                    except ProtocolError as error:
                        verdict = self._unusable(wish, error, sent.reply)
                    else:
                        self._budget.succeeded()
                        return usable
                    await self._wait(wish, verdict, sent.reply.status)
                case Renew():
                    wish.renewed = wish.again = True
                    if not self._signer.refused(sent.proof):
                        raise AuthError(
                            "HTTP 401",
                            where=wish.where,
                            advice="Check the tenant's credentials and keys with `harvester check`.",
                        )
                case (Again() | Refuse()) as verdict:
                    await self._wait(wish, verdict, sent.reply.status)

    async def _send(self, wish: _Wish, reader: Reader | None) -> _Sent:
        """Once, with a permit. Errors that another try may mend are part of the answer, others are raised."""
        async with self._governor.permit(wish.pull.tenant) as permit:
            if self._turn is not None:
                await self._turn()  # with the permit in hand: who waited long for it still goes last
            proof = await self._signer.prove("GET", wish.url)
            request = Request(wish.url, headers={**wish.headers, **proof.headers}, ceiling=wish.ceiling)
            began = self._clock.now()
            wish.tally.requests += 1
            wish.tally.retries += wish.again
            self._budget.sent(began, retry=wish.again)
            try:
                reply = await self._transport.send(request, reader)
            except CeilingError as error:
                return self._broken(wish, error, permit, proof, began, status=0)
            except ProtocolError as error:  # the reader's: the server did answer
                return self._broken(wish, error, permit, proof, began, status=200)
            permit.answered(0 if reply.error else reply.status, reply.headers, reply.took)
        wish.tally.note(reply)
        return _Sent(reply, proof)

    def _broken(
        self, wish: _Wish, error: ProviderError, permit: Permit, proof: Proof, began: float, *, status: int
    ) -> _Sent:
        took = self._clock.now() - began
        permit.answered(status, {}, took)
        error.where = error.where or wish.where
        if isinstance(error, CeilingError) and not error.passing:
            raise error
        return _Sent(Reply(status, {}, b"", took), proof, error)

    def _judge(self, wish: _Wish, sent: _Sent) -> Accept | Again | Renew | Refuse:
        if sent.error is not None:
            return self._unusable(wish, sent.error, sent.reply)
        if sent.reply.status == 200 and not sent.reply.error:
            return Accept()  # as `judge` would say; no dice are thrown for it
        verdict = judge(
            sent.reply,
            attempt=wish.attempt,
            renewed=wish.renewed,
            jitter=self._rng.random(),
            policy=wish.policy,
            signals=read(sent.reply.headers, sent.reply.status, self._clock.wall()),
            throttles=wish.throttles,
        )
        if isinstance(verdict, Refuse):
            verdict.error.where = wish.where
        if isinstance(verdict, Again):
            if verdict.throttled:
                wish.throttles += 1
                wish.tally.throttled += 1
            else:
                wish.attempt += 1
                self._budget.failed(sent.reply.status)
        return verdict

    def _unusable(self, wish: _Wish, error: ProviderError, reply: Reply) -> Again | Refuse:
        error.where = error.where or wish.where
        # What was streamed is not here any more; what its reader says of it stands for it.
        digest = blake2b(reply.body or error.what.encode(), digest_size=16).digest()
        # Only the same body again says that the server means it: slowness never does.
        equal = 0 if error.passing else wish.bodies.get(digest, 0) + 1
        wish.bodies[digest] = equal
        verdict = unusable(
            error, attempt=wish.attempt, equal=equal, jitter=self._rng.random(), policy=wish.policy
        )
        wish.attempt += 1
        self._budget.failed(reply.status)
        return verdict

    async def _wait(self, wish: _Wish, verdict: Again | Refuse, status: int) -> None:
        """Wait before the next try, or raise."""
        if isinstance(verdict, Refuse):
            raise verdict.error
        now = self._clock.now()
        after = verdict.after
        if not verdict.throttled:
            after = self._budget.stretch(after, now, self._rng.random(), wish.policy)
        if self._deadline is not None and now + after > self._deadline:
            raise ThrottledError(
                f"{verdict.reason}: a wait of {after:.0f} s, longer than the run may take",
                where=wish.where,
                advice="Resume the run later, or give it more time (`run.max_duration`).",
            )
        wish.again = True
        self._observe(Retried(wish.pull, verdict.reason, status, after))
        await self._clock.sleep(after)


def _unheard(_event: object) -> None: ...


def _asked(url: str) -> str:
    """What was asked, for people: the path's end, and numbers of the query, which are no secrets."""
    parts = urlsplit(url)
    numbers = [f"{k}={v}" for k, v in parse_qsl(parts.query) if re.fullmatch(r"[0-9]{1,9}", v)]
    end = parts.path.rstrip("/").rpartition("/")[2][:80]
    return f"{end}?{'&'.join(numbers)}" if numbers else end


@lru_cache(maxsize=64)  # the pages of one second share theirs
def _date(text: str) -> float | None:
    """An HTTP date (RFC 9110, section 5.6.7) in seconds since the epoch."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
