"""What a token endpoint's answer means. Pure; anything may stand in one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from harvester.auth.grants import Method
from harvester.config.secrets import Secret
from harvester.errors import AuthError, ProtocolError

DEFAULT_LIFE = 300.0
"""Seconds, where the endpoint does not say: short enough to be on the safe side of any real token."""
SHORTEST_LIFE, LONGEST_LIFE = 30.0, 24 * 3600.0
LONGEST_TOKEN = 16 * 1024
_LARGEST_ANSWER = 64 * 1024

PASSING_CODES = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""OAuth's codes for what may pass, whatever the status that they come with."""

# RFC 6749, section 5.2, and what identity servers add. Any other text of an answer is never quoted.
_ADVICE = {
    "invalid_client": "Check client_id and client_secret; if they are right, try {other}.",
    "invalid_scope": "Set the application's scope to one that the provider grants.",
    "invalid_target": "Set the application's scope to one that the provider grants.",
    "unauthorized_client": "Ask the provider to enable client credentials for this client and customer.",
    "invalid_request": "The endpoint misses something: a scope, a tenant_id (see tenant_in), or try {other}.",
    "invalid_grant": "Check tenant_id, and that the customer has consented.",
    "unsupported_grant_type": "This is no endpoint for client credentials: check token_url.",
    "access_denied": "Ask the provider why it denies this client.",
}
_UNSAID = "Check client_id and client_secret; if they are right, try {other}, or another scope."
_WRONG_PLACE = "Check token_url."


class Answer(Protocol):
    """The part of a reply that is read here."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Fresh:
    """A token, and how many seconds it lives."""

    secret: Secret
    life: float


def token_of(reply: Answer, where: str) -> Fresh:
    """The token of a 2xx answer. Raises `ProtocolError` if it holds none that can be used."""
    answer = _object(reply.body)
    if answer is None:
        raise ProtocolError("the token endpoint's answer is no JSON object", where=where, advice=_WRONG_PLACE)
    token, kind = answer.get("access_token"), answer.get("token_type")
    if not isinstance(token, str) or not _usable(token):
        raise ProtocolError(
            "the token endpoint's answer holds no usable token", where=where, advice=_WRONG_PLACE
        )
    if kind is not None and not (isinstance(kind, str) and kind.strip().lower() == "bearer"):
        raise ProtocolError(
            "the token is no bearer token", where=where, advice="Ask the provider for bearer tokens."
        )
    return Fresh(Secret(token), life_of(answer.get("expires_in")))


def life_of(expires_in: object) -> float:
    """Seconds of life from whatever `expires_in` holds, within sensible bounds."""
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return DEFAULT_LIFE
    if isinstance(expires_in, int):  # as such, because one may be beyond all floats
        return float(min(max(expires_in, int(SHORTEST_LIFE)), int(LONGEST_LIFE)))
    try:
        life = float(expires_in)
    except ValueError:
        return DEFAULT_LIFE
    return DEFAULT_LIFE if math.isnan(life) else min(max(life, SHORTEST_LIFE), LONGEST_LIFE)


def code_of(reply: Answer) -> str:
    """The OAuth error code of an answer, if it is one of those that are known; else an empty string."""
    found = (_object(reply.body) or {}).get("error")
    return found if isinstance(found, str) and (found in _ADVICE or found in PASSING_CODES) else ""


def refusal_of(reply: Answer, where: str, method: Method) -> AuthError:
    """Why a token was refused for good: the status, OAuth's code if it is a known one, and what to do."""
    code = code_of(reply)
    if code:
        advice = _ADVICE.get(code, _WRONG_PLACE)
    elif reply.status in (400, 401, 403, 422):
        advice = _UNSAID
    else:
        advice = _WRONG_PLACE
    other: Method = "client_secret_post" if method == "client_secret_basic" else "client_secret_basic"
    said = f" ({code})" if code else ""
    what = "redirects us, which credentials never follow" if 300 <= reply.status < 400 else "refuses us"
    return AuthError(
        f"the token endpoint {what}: HTTP {reply.status}{said}",
        where=where,
        advice=advice.format(other=f'token_auth = "{other}"'),
    )


def _object(body: bytes) -> dict[str, Any] | None:
    if len(body) > _LARGEST_ANSWER:
        return None
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _usable(token: str) -> bool:
    """Fit for a header: RFC 6750 allows less, but what a server gives out it also takes."""
    return 0 < len(token) <= LONGEST_TOKEN and token.isascii() and token.isprintable() and " " not in token
