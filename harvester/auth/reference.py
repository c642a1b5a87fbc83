"""OAuth 1.0a as authlib signs it: the reference that our own, quicker signer is held against.

authlib has no HMAC-SHA256 for OAuth 1, refuses a query with a quote in it, and can't take a nonce from
outside; what is here adds these three and leaves the rest to it.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from authlib.oauth1.rfc5849.client_auth import ClientAuth
from authlib.oauth1.rfc5849.parameters import prepare_headers
from authlib.oauth1.rfc5849.signature import generate_signature_base_string
from authlib.oauth1.rfc5849.util import escape

from harvester.auth.oauth1 import SignatureMethod, encode_query


class _Client(ClientAuth):  # type: ignore[misc]  # authlib has no types
    SIGNATURE_METHODS: ClassVar[dict[str, Callable[..., str]]] = dict(ClientAuth.SIGNATURE_METHODS)
    # a copy: what is added here is not added for everybody


def _hmac_sha256(client: Any, request: Any) -> str:
    key = f"{escape(client.client_secret)}&{escape(client.token_secret or '')}"
    base = generate_signature_base_string(request)
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), "sha256")).decode()


_Client.register_signature_method("HMAC-SHA256", _hmac_sha256)


def strict(url: str) -> str:
    """The URL with its query percent-encoded to the letter."""
    base, question, query = url.partition("?")
    return base + question + encode_query(parse_qsl(query, keep_blank_values=True))


def authorization(
    url: str, key: str, secret: str, *, method: SignatureMethod, nonce: str, timestamp: str
) -> str:
    """The Authorization header for a GET of `strict(url)`."""
    client = _Client(key, client_secret=secret, signature_method=method)
    parameters: list[tuple[str, str]] = client.get_oauth_params(nonce, timestamp)
    unsigned = prepare_headers(parameters, {})
    signature = client.get_oauth_signature("GET", strict(url), unsigned, b"")
    headers: dict[str, str] = prepare_headers([*parameters, ("oauth_signature", signature)], {})
    return headers["Authorization"]
