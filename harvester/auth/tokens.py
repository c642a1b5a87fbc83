"""The token cache: one token a grant, renewed before it expires, one refresh in flight, refusals remembered.

State changes where nothing awaits. A refresh is a task of its own, so that the cancellation of whoever asked
first does not take the token from the others; while it runs, the old token is served as long as it lives.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from harvester.auth.answers import refusal_of, token_of
from harvester.auth.grants import Grant
from harvester.auth.token_store import TokenStore
from harvester.clock import Clock
from harvester.config.secrets import Secret, Secrets
from harvester.errors import AuthError, HarvesterError, ProtocolError, UnreachableError
from harvester.http.messages import Reply
from harvester.http.retry import POLICY, Accept, Again, Refuse, RetryPolicy, judge
from harvester.pacing.signals import read

AHEAD = 60.0
"""Seconds before its end at which a token is renewed; a tenth of its life if that is more."""
JITTER = 0.1
"""Share of that by which it is renewed earlier still, lest all tokens of a night fall due at once."""

PAUSE = 30.0
"""Seconds until a renewal that failed is tried again, while the old token still serves."""

TokenPost = Callable[[str, Mapping[str, str], bytes], Awaitable[Reply]]
"""Posts a form to a token endpoint: URL, headers, body. Waits its turn; never raises for the wire."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Token:
    """A bearer token. Times on the clock's `now`."""

    secret: Secret
    renew_at: float
    good_until: float


@dataclass(slots=True)
class _Entry:
    token: Token | None = None
    refresh: asyncio.Task[None] | None = None
    refusal: HarvesterError | None = None
    """Final for this run: an endpoint that has said no is not asked all night."""


class TokenCache:
    """Tokens for all applications of a run."""

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
        self._policy = policy
        self._entries: dict[Grant, _Entry] = {}

    async def get(self, grant: Grant) -> Token:
        """A token that is good now. Raises `AuthError` when refused, `UnreachableError` when out of reach."""
        entry = self._entry(grant)
        while True:
            if entry.refusal is not None:
                raise entry.refusal
            now, token = self._clock.now(), entry.token
            if token is not None and now < token.renew_at:
                return token
            if entry.refresh is None:
                entry.refresh = asyncio.create_task(self._refresh(grant, entry), name=f"token {grant.name}")
                entry.refresh.add_done_callback(_seen)
            if token is not None and now < token.good_until:
                return token
            await asyncio.shield(entry.refresh)

    def reject(self, grant: Grant, token: Token) -> None:
        """The API refused this token. A newer one that has come meanwhile stays."""
        entry = self._entry(grant)
        if entry.token is token:
            entry.token = None
            if self._store is not None:
                self._store.forget(grant.key)

    async def aclose(self) -> None:
        """End the refreshes that are under way; nothing is left running."""
        tasks = [entry.refresh for entry in self._entries.values() if entry.refresh is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._store is not None:
            self._store.save(self._clock.wall())

    def _entry(self, grant: Grant) -> _Entry:
        if grant not in self._entries:
            entry = self._entries[grant] = _Entry()
            kept = self._store.find(grant.key, self._clock.wall()) if self._store is not None else None
            if kept is not None:
                self._secrets.remember(kept.secret)
                entry.token = self._token(kept.secret, kept.life)
        return self._entries[grant]

    async def _refresh(self, grant: Grant, entry: _Entry) -> None:
        try:
            fresh = await self._ask(grant)
        except HarvesterError as error:
            token = entry.token
            if token is not None and self._clock.now() < token.good_until:
                entry.token = replace(token, renew_at=self._clock.now() + PAUSE)
            elif isinstance(error, AuthError | ProtocolError):
                entry.refusal = error
            raise
        else:
            entry.token = fresh
        finally:
            entry.refresh = None

    async def _ask(self, grant: Grant) -> Token:
        """Post until there is an answer that counts."""
        where = grant.name
        headers, body = grant.request()
        attempt, throttles = 1, 0
        while True:
            reply = await self._post(grant.token_url, headers, body)
            verdict = judge(
                reply,
                attempt=attempt,
                renewed=True,
                jitter=self._rng.random(),
                policy=self._policy,
                signals=read(reply.headers, reply.status, self._clock.wall()),
                throttles=throttles,
                where=f"{where}, token endpoint",
            )
            match verdict:
                case Accept():
                    fresh = token_of(reply, where)
                    self._secrets.remember(fresh.secret)
                    if self._store is not None:
                        self._store.keep(grant.key, fresh, self._clock.wall())
                    return self._token(fresh.secret, fresh.life)
                case Again():
                    throttles += verdict.throttled
                    attempt += not verdict.throttled
                    await self._clock.sleep(verdict.after)
                case Refuse():
                    if reply.status in (400, 401, 403):
                        raise refusal_of(reply, where) from None
                    raise verdict.error
                case _:
                    raise UnreachableError("the token endpoint asks for a token", where=where)

    def _token(self, secret: Secret, life: float) -> Token:
        now = self._clock.now()
        ahead = min(max(AHEAD, 0.1 * life), 0.5 * life)
        early = ahead * (1 + JITTER * self._rng.random())
        return Token(secret, now + life - early, now + life)


def _seen(task: asyncio.Task[None]) -> None:
    """A background refresh may fail with nobody waiting: the next one who asks hears of it."""
    if not task.cancelled():
        task.exception()
