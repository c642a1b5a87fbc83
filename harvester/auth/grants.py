"""A grant: what a token is asked for with (RFC 6749, section 4.4), and how the request is put."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal
from urllib.parse import quote_plus

from authlib.oauth2.rfc6749.parameters import prepare_token_request

from harvester.config.secrets import Secret

Method = Literal["client_secret_post", "client_secret_basic"]


@dataclass(frozen=True, slots=True)
class Grant:
    """Equal grants share a token."""

    token_url: str
    client_id: Secret
    client_secret: Secret
    scope: str | None = None
    tenant: str = ""
    """the provider's id of the customer, where the token is the customer's own"""
    method: Method = "client_secret_basic"
    tenant_in: Literal["body", "header", "none"] = "none"
    tenant_param: str = "tenant_ID"
    name: str = field(default="", compare=False)
    """For messages: `application flyt`."""

    @property
    def key(self) -> str:
        """A name for the cache that tells nothing: a digest of token URL, client, scope and tenant."""
        parts = (self.token_url, self.client_id.reveal(), self.scope or "", self.tenant)
        return blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()

    def request(self) -> tuple[Mapping[str, str], bytes]:
        """Headers and form of the token request."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        form: dict[str, str] = {}
        if self.tenant and self.tenant_in == "body":
            form[self.tenant_param] = self.tenant
        if self.tenant and self.tenant_in == "header":
            headers[self.tenant_param] = self.tenant
        client_id, client_secret = self.client_id.reveal(), self.client_secret.reveal()
        if self.method == "client_secret_post":
            form |= {"client_id": client_id, "client_secret": client_secret}
        else:
            # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        body: str = prepare_token_request("client_credentials", "", scope=self.scope, **form)
        return headers, body.encode()
