"""What a token endpoint's answer means. Pure; anything may stand in one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import orjson

from harvester.config.secrets import Secret
from harvester.errors import AuthError, HarvesterError, ProtocolError
from harvester.http.messages import Reply

DEFAULT_LIFE = 300.0
"""Seconds, where the endpoint does not say: short enough to be on the safe side of any real token."""
SHORTEST_LIFE, LONGEST_LIFE = 30.0, 24 * 3600.0
LONGEST_TOKEN = 16 * 1024

# RFC 6749, section 5.2, and what identity servers add. Free text of an answer is never quoted.
_ADVICE = {
    "invalid_client": "Check client_id and client_secret; some servers want the other `token_auth`.",
    "invalid_scope": "Check the application's `scope`: the provider does not grant it.",
    "unauthorized_client": "The provider has not enabled client credentials for this client.",
    "invalid_request": "The endpoint misses something: often `scope`, `tenant_id` or the other `token_auth`.",
    "invalid_grant": "The provider refuses this customer: check `tenant_id` and its consent.",
    "unsupported_grant_type": "This is no endpoint for client credentials: check `token_url`.",
    "access_denied": "The provider refuses this client: ask it why.",
}


@dataclass(frozen=True, slots=True)
class Fresh:
    """A token, and how many seconds it lives."""

    secret: Secret
    life: float


def token_of(reply: Reply, where: str) -> Fresh:
    """The token of a 2xx answer. Raises `ProtocolError` if it holds none that can be used."""
    try:
        answer: Any = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise ProtocolError(
            "the token endpoint's answer is no JSON object", where=where, advice="Check token_url."
        )
    token, kind = answer.get("access_token"), answer.get("token_type", "bearer")
    if not isinstance(token, str) or not token or len(token) > LONGEST_TOKEN or not _printable(token):
        raise ProtocolError(
            "the token endpoint's answer holds no usable token", where=where, advice="Check token_url."
        )
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProtocolError("the token is not a bearer token", where=where, advice="Check token_url.")
    return Fresh(Secret(token), life_of(answer.get("expires_in")))


def life_of(expires_in: object) -> float:
    """Seconds of life from whatever `expires_in` holds, within sensible bounds."""
    try:
        life = float(expires_in) if isinstance(expires_in, int | float | str) else math.nan
    except (ValueError, OverflowError):
        life = math.nan
    if isinstance(expires_in, bool) or math.isnan(life):
        return DEFAULT_LIFE
    return min(max(life, SHORTEST_LIFE), LONGEST_LIFE)


def refusal_of(reply: Reply, where: str) -> HarvesterError:
    """Why a token was refused for good: the status, the RFC's code if it is one, and what to do."""
    code = ""
    try:
        answer: Any = orjson.loads(reply.body)
        found = answer.get("error") if isinstance(answer, dict) else None
        code = found if isinstance(found, str) and found in _ADVICE else ""
    except orjson.JSONDecodeError:
        pass
    advice = _ADVICE.get(code, "Check token_url, client_id and client_secret with `harvester check`.")
    said = f" ({code})" if code else ""
    return AuthError(f"the token endpoint refuses us: HTTP {reply.status}{said}", where=where, advice=advice)


def _printable(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token
