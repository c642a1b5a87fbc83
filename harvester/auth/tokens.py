"""The token cache: one token a grant, renewed before it expires, one request in flight, refusals remembered.

State changes where nothing awaits. A renewal is a task of its own, started when it is due and asked for: the
cancellation of whoever asked first must not take the token from the others, and while it runs, the old token
is served as long as it lives. `aclose` ends those that are under way; nothing runs between requests.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import TracebackType
from typing import Self

import anyio

from harvester.auth.answers import PASSING_CODES, Fresh, code_of, refusal_of, token_of
from harvester.auth.grants import Grant
from harvester.auth.token_store import Kept, TokenStore
from harvester.clock import Clock
from harvester.config.secrets import Secret, Secrets
from harvester.errors import (
    AuthError,
    HarvesterError,
    ProtocolError,
    RefusedError,
    ThrottledError,
    UnreachableError,
)
from harvester.http.messages import Reply
from harvester.http.retry import POLICY, Again, Refuse, RetryPolicy, judge, unusable
from harvester.pacing.signals import read

AHEAD = 60.0
"""Seconds before its end at which a token is renewed; a tenth of its life if that is more, half at most."""
JITTER = 0.25
"""Share of that by which it is renewed earlier still, lest all tokens of a night fall due at once."""
MARGIN = 5.0
"""Seconds before its end at which a token is not served any more: a request takes time to arrive."""
REST = 30.0
"""Seconds after a renewal that failed while the old token lives; half of what it has left if that is less."""
MOST_THROTTLES = 6
"""429s that one renewal takes: pages wait for it."""

TokenPost = Callable[[str, Mapping[str, str], bytes], Awaitable[Reply]]
"""Posts a form to a token endpoint: URL, headers, body. Waits its turn; never raises for the wire."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Token:
    """A bearer token; two are the same only if they are one. Times on the clock's `now`."""

    secret: Secret
    since: float
    renew_at: float
    good_until: float
    expires: float


@dataclass(slots=True)
class _Entry:
    """What is known of one grant."""

    token: Token | None = None
    flight: asyncio.Task[Token | HarvesterError] | None = None
    refusal: AuthError | None = None
    """For the rest of the run: an endpoint that has said no is not asked all night."""
    rest_until: float = float("-inf")


class TokenCache:
    """Tokens for all applications of a run. Close it: `async with TokenCache(...) as cache`."""

    def __init__(
        self,
        post: TokenPost,
        *,
        clock: Clock,
        rng: random.Random,
        secrets: Secrets,
        store: TokenStore | None = None,
        policy: RetryPolicy = POLICY,
    ) -> None:
        """`store`: where tokens outlive the run; None keeps them in memory."""
        self._post = post
        self._clock = clock
        self._rng = rng
        self._secrets = secrets
        self._store = store
        self._policy = replace(policy, throttles=min(policy.throttles, MOST_THROTTLES))
        self._entries: dict[str, _Entry] = {}
        self._kept: dict[str, Kept] | None = None
        self._closed = False

    async def get(self, grant: Grant) -> Token:
        """A token that is good now. Raises `AuthError` when refused, and what `post` and retries raise."""
        entry = self._entry(grant)
        token = self._ready(grant, entry)
        if token is not None:
            return token
        if entry.refusal is not None:
            raise _retold(entry.refusal, grant)
        flight = entry.flight or self._start(grant, entry)
        # Not `await flight`, nor a shield: our cancellation must not end it, nor its end look like ours.
        await asyncio.wait((flight,))
        if flight.cancelled():
            raise UnreachableError("the run is ending", where=grant.name)
        outcome = flight.result()
        if isinstance(outcome, HarvesterError):
            raise _retold(outcome, grant) from None
        return outcome

    def reject(self, grant: Grant, token: Token) -> None:
        """The API refused this token. A newer one that has come meanwhile stays."""
        entry = self._entry(grant)
        if entry.token is token:
            entry.token = None

    async def aclose(self) -> None:
        """End the requests that are under way, and keep the tokens for the next run if there is a store."""
        if self._closed:
            return
        self._closed = True
        flights = [entry.flight for entry in self._entries.values() if entry.flight is not None]
        for flight in flights:
            flight.cancel()
        if flights:
            with anyio.CancelScope(shield=True):
                await asyncio.wait(flights)
        if self._store is not None and self._kept is not None:
            wall, now = self._clock.wall(), self._clock.now()
            fresh = {
                key: Kept(entry.token.secret, wall, wall + (entry.token.expires - now))
                for key, entry in self._entries.items()
                if entry.token is not None
            }
            others = {key: kept for key, kept in self._kept.items() if key not in self._entries}
            self._store.save({**others, **fresh}, wall)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _ready(self, grant: Grant, entry: _Entry) -> Token | None:
        """The token at hand, if it is good; renewing it is begun when it is due."""
        now, token = self._clock.now(), entry.token
        if token is None or now >= token.good_until:
            return None
        due = now >= token.renew_at and now >= entry.rest_until
        if due and entry.flight is None and entry.refusal is None and not self._closed:
            self._start(grant, entry)
        return token

    def _entry(self, grant: Grant) -> _Entry:
        entry = self._entries.get(grant.key)
        if entry is None:
            entry = self._entries[grant.key] = _Entry()
            kept = self._last_run().get(grant.key)
            if kept is not None and kept.good(wall := self._clock.wall()):
                self._secrets.remember(kept.secret)
                entry.token = self._token(Fresh(kept.secret, kept.until - wall), self._clock.now())
        return entry

    def _last_run(self) -> dict[str, Kept]:
        if self._kept is None:
            self._kept = self._store.load(self._clock.wall()) if self._store is not None else {}
        return self._kept

    def _start(self, grant: Grant, entry: _Entry) -> asyncio.Task[Token | HarvesterError]:
        if self._closed:
            raise UnreachableError("the run is ending", where=grant.name)
        entry.flight = asyncio.create_task(self._fly(grant, entry), name=f"token for {grant.name}")
        entry.flight.add_done_callback(_noticed)
        return entry.flight

    async def _fly(self, grant: Grant, entry: _Entry) -> Token | HarvesterError:
        """Renew one grant's token. Our errors are returned: each who waits is told in their own name."""
        try:
            token = await self._ask(grant)
        except HarvesterError as error:
            if isinstance(error, AuthError):
                entry.refusal = error
            if entry.token is not None:
                now = self._clock.now()
                entry.rest_until = now + min(REST, (entry.token.good_until - now) / 2)
            return error
        else:
            entry.token = token
            return token
        finally:
            entry.flight = None

    async def _ask(self, grant: Grant) -> Token:
        """Post until there is an answer that counts."""
        headers, body = grant.request()
        self._secrets.remember(grant.basic())
        attempt, throttles = 1, 0
        bodies: dict[bytes, int] = {}
        while True:
            reply = await self._post(grant.token_url, headers, body)
            verdict = self._judge(reply, grant, attempt, throttles, bodies)
            if isinstance(verdict, Fresh):
                self._secrets.remember(verdict.secret)
                return self._token(verdict, self._clock.now() - reply.took)
            if isinstance(verdict, Refuse):
                raise verdict.error
            throttles += verdict.throttled
            attempt += not verdict.throttled
            await self._clock.sleep(verdict.after)

    def _judge(
        self, reply: Reply, grant: Grant, attempt: int, throttles: int, bodies: dict[bytes, int]
    ) -> Fresh | Again | Refuse:
        """What an answer means: the token, another try, or the end."""
        where = f"{grant.name}, token endpoint"
        code, jitter = code_of(reply), self._rng.random()
        if 200 <= reply.status < 300 and not reply.error:
            if code and code not in PASSING_CODES:
                return Refuse(refusal_of(reply, where, grant.method))
            if not code:
                return self._granted(reply, where, attempt, jitter, bodies)
        # A code for what may pass counts for more than the status that it comes with.
        heard = replace(reply, status=503) if code in PASSING_CODES else reply
        verdict = judge(
            heard,
            attempt=attempt,
            renewed=True,
            jitter=jitter,
            policy=self._policy,
            signals=read(reply.headers, reply.status, self._clock.wall()),
            throttles=throttles,
            where=where,
        )
        if isinstance(verdict, Again):
            return verdict
        assert isinstance(verdict, Refuse), verdict
        definite = isinstance(verdict.error, AuthError | RefusedError) and reply.status < 500
        return Refuse(refusal_of(reply, where, grant.method)) if definite else verdict

    def _granted(
        self, reply: Reply, where: str, attempt: int, jitter: float, bodies: dict[bytes, int]
    ) -> Fresh | Again | Refuse:
        try:
            return token_of(reply, where)
        except ProtocolError as error:
            digest = blake2b(reply.body, digest_size=16).digest()
            equal = bodies[digest] = bodies.get(digest, 0) + 1
            return unusable(error, attempt=attempt, equal=equal, jitter=jitter, policy=self._policy)

    def _token(self, fresh: Fresh, since: float) -> Token:
        life = fresh.life
        ahead = min(max(AHEAD, 0.1 * life), 0.5 * life) * (1 + JITTER * self._rng.random())
        return Token(
            fresh.secret,
            since=since,
            renew_at=since + life - ahead,
            good_until=since + life - min(MARGIN, 0.1 * life),
            expires=since + life,
        )


def _retold(error: HarvesterError, grant: Grant) -> HarvesterError:
    """The same error for each who waits: one raised by a hundred tasks would collect their traces."""
    where = f"{grant.name}, token endpoint"
    match error:
        case UnreachableError():
            return UnreachableError(error.what, status=error.status, where=where, advice=error.advice)
        case AuthError() | ThrottledError() | ProtocolError():
            return type(error)(error.what, where=where, advice=error.advice)
    return error


def _noticed(task: asyncio.Task[Token | HarvesterError]) -> None:
    """A bug in a renewal that nobody waits for must not be reported as an exception never retrieved."""
    if not task.cancelled():
        task.exception()
