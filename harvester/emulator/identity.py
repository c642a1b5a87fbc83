"""Who may ask: the token endpoint, bearer tokens, and OAuth 1.0a signatures verified from RFC 5849."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlsplit

from aiohttp import web

from harvester.emulator.faults import Faults

WINDOW = 300.0
"""Seconds by which a signature's timestamp may be off."""


@dataclass(slots=True)
class Client:
    """One application or district that may ask for tokens or sign."""

    id: str
    secret: str
    scopes: frozenset[str] = frozenset()
    """empty: any"""


@dataclass(slots=True)
class Grant:
    """A token that was given out."""

    client: str
    tenant: str
    scope: str
    until: float
    uses: int = 0


@dataclass
class Identity:
    """Clients, tokens and nonces of one emulator."""

    faults: Faults
    clients: dict[str, Client] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    wall: Callable[[], float] = time.time
    """What signatures' timestamps are held against; tokens live by the loop's time."""
    issued: int = 0
    _nonces: set[tuple[str, str]] = field(default_factory=set)

    def add(self, client: Client) -> Client:
        self.clients[client.id] = client
        return client

    async def token(self, request: web.Request) -> web.Response:
        """POST /connect/token: client credentials, by basic or by post."""
        if self.faults.token_status:
            return _refused(self.faults.token_status, "temporarily_unavailable")
        form = {key: str(value) for key, value in (await request.post()).items()}
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type")
        client_id, secret = _credentials(request.headers.get("Authorization", ""), form)
        client = self.clients.get(client_id)
        if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
            return _refused(401, "invalid_client")
        scope = form.get("scope", "")
        if client.scopes and scope not in client.scopes:
            return _refused(400, "invalid_scope")
        self.issued += 1
        token = secrets.token_urlsafe(24)
        tenant = form.get("tenant_ID") or request.headers.get("tenant_ID") or ""
        self.tokens[token] = Grant(client_id, tenant, scope, _now() + self._life())
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        if self.faults.expires_in != "absent":
            answer["expires_in"] = self.faults.expires_in
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    def _life(self) -> float:
        stated = str(self.faults.expires_in)
        return float(stated) if stated.isdigit() and 0 < int(stated) < 1_000_000 else 3600.0

    def bearer(self, request: web.Request) -> Grant | None:
        """The grant behind the request's token; None where it is not good."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = self.tokens.get(token) if kind.lower() == "bearer" else None
        if grant is None or grant.until < _now():
            return None
        grant.uses += 1
        if 0 < self.faults.revoke_after < grant.uses:
            del self.tokens[token]
            return None
        return grant

    def signed(self, request: web.Request, client: Client) -> bool:
        """Whether the request carries this client's OAuth 1.0a signature over what came on the wire."""
        header = request.headers.get("Authorization", "")
        if not header.startswith("OAuth "):
            return False
        said = {key: unquote(value) for key, value in re.findall(r'(oauth_\w+)="([^"]*)"', header)}
        digest = {"HMAC-SHA256": "sha256", "HMAC-SHA1": "sha1"}.get(said.get("oauth_signature_method", ""))
        nonce = (said.get("oauth_timestamp", ""), said.get("oauth_nonce", ""))
        if digest is None or said.get("oauth_consumer_key") != client.id or nonce in self._nonces:
            return False
        if not nonce[0].isdigit() or abs(int(nonce[0]) - self.wall()) > WINDOW or not nonce[1]:
            return False
        base = base_string(request.method, f"http://{request.host}{request.raw_path}", said)
        key = f"{quote(client.secret, safe='-._~')}&".encode()
        wanted = base64.b64encode(hmac.digest(key, base.encode(), digest)).decode()
        if not hmac.compare_digest(wanted, said.get("oauth_signature", "")):
            return False
        self._nonces.add(nonce)  # only now: nobody burns a nonce without the key
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()


def base_string(method: str, url: str, said: dict[str, str]) -> str:
    """The signature base string (RFC 5849, section 3.4.1) of a request as it came on the wire."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    pairs += [(key, value) for key, value in said.items() if key != "oauth_signature"]
    encoded = sorted((quote(key, safe="-._~"), quote(value, safe="-._~")) for key, value in pairs)
    parameters = "&".join(f"{key}={value}" for key, value in encoded)
    host = parts.netloc.lower().removesuffix(":80" if parts.scheme == "http" else ":443")
    uri = f"{parts.scheme}://{host}{parts.path or '/'}"
    return "&".join(quote(part, safe="-._~") for part in (method.upper(), uri, parameters))


def _credentials(header: str, form: dict[str, str]) -> tuple[str, str]:
    """Id and secret, from the Authorization header (form-encoded, RFC 6749, 2.3.1) or from the form."""
    kind, _, encoded = header.partition(" ")
    if kind.lower() == "basic":
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            return "", ""
        client_id, _, secret = pair.partition(":")
        return unquote_plus(client_id), unquote_plus(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _refused(status: int, error: str) -> web.Response:
    return web.json_response(
        {"error": error, "error_description": "see RFC 6749, section 5.2"}, status=status
    )
