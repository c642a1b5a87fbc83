"""A token endpoint played by hand, for tests of whatever needs tokens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from harvester.auth.grants import Grant
from harvester.auth.token_store import TokenStore
from harvester.auth.tokens import TokenCache
from harvester.config.secrets import Secret, Secrets
from harvester.http.messages import Reply
from tests import virtual

TOKEN_URL = "https://identity.example/connect/token"


def granted(token: str, expires_in: object = 3600, **more: object) -> Reply:
    body = {"access_token": token, "token_type": "Bearer", "expires_in": expires_in, **more}
    return Reply(200, {"content-type": "application/json"}, orjson.dumps(body), 0.0)


def refused(status: int, error: str = "", **headers: str) -> Reply:
    body = orjson.dumps({"error": error, "error_description": "Zq4canary of Kari Nordmann"})
    return Reply(status, headers, body if error else b"<html>Zq4canary", 0.0)


def unheard(error: str = "connection reset") -> Reply:
    return Reply(0, {}, b"", 0.0, error)


@dataclass
class Endpoint:
    """Answers in turn; the last answer stays. An answer may be a function of the request's number."""

    answers: list[Reply | Exception | Callable[[int], Reply]]
    takes: float = 1.0
    posts: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    flying: int = 0
    most_flying: int = 0

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        number = len(self.posts)
        self.posts.append((url, headers, body))
        self.at.append(asyncio.get_running_loop().time())
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.flying -= 1
        answer = self.answers[min(number, len(self.answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else answer(number)


def numbered(expires_in: object = 3600) -> Endpoint:
    """Grants token-0, token-1 ..."""
    return Endpoint([lambda number: granted(f"token-{number}", expires_in)])


def grant(tenant: str = "aa75", **more: Any) -> Grant:
    kept: dict[str, Any] = {"tenant_in": "body", "name": "tenant bergen", **more}
    return Grant(TOKEN_URL, Secret("ck"), Secret("Zq4+/x=1"), tenant=tenant, **kept)


def cache(
    endpoint: Endpoint, *, store: TokenStore | None = None, secrets: Secrets | None = None, **more: Any
) -> TokenCache:
    kept: dict[str, Any] = {"clock": virtual.VirtualClock(), "rng": random.Random(1), **more}
    return TokenCache(endpoint, secrets=secrets or Secrets(environ={}), store=store, **kept)
