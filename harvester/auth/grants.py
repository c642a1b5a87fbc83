"""A grant: what a token is asked for with (RFC 6749, section 4.4), and how the request is put."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from urllib.parse import quote_plus

from harvester.config.secrets import Secret
from harvester.errors import ConfigError

Method = Literal["client_secret_post", "client_secret_basic"]


@dataclass(frozen=True, eq=False)
class Grant:
    """Grants with the same `key` share a token."""

    token_url: str
    client_id: Secret
    client_secret: Secret
    scope: str | None = None
    tenant: str = ""
    """The provider's id of the customer, where the token is the customer's own."""
    method: Method = "client_secret_basic"
    tenant_in: Literal["body", "header", "none"] = "none"
    tenant_param: str = "tenant_ID"
    name: str = ""
    """For messages: `tenant bergen`."""

    @cached_property
    def key(self) -> str:
        """Names the grant in the cache and on disk, and tells nothing to whom has not its client secret.

        A digest of token URL, client, scope and tenant, keyed with the secret: so a token that was kept is
        found only by who could ask for it, and not once the secret has been replaced.
        """
        tenant = self.tenant if self.tenant_in != "none" else ""
        parts = (self.token_url, self.client_id.reveal(), self.scope or "", tenant)
        message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hmac.digest(self.client_secret.reveal().encode(), message, "sha256").hex()

    def request(self) -> tuple[Mapping[str, str], bytes]:
        """Headers and form of the token request."""
        # It costs 50 ms to import, which `--help` and runs without tokens need not pay.
        from authlib.oauth2.rfc6749.parameters import prepare_token_request  # noqa: PLC0415

        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        form: dict[str, str] = {}
        if self.tenant and self.tenant_in == "body":
            form[self.tenant_param] = self.tenant
        if self.tenant and self.tenant_in == "header":
            headers[self.tenant_param] = self._header_safe()
        if self.method == "client_secret_post":
            form |= {"client_id": self.client_id.reveal(), "client_secret": self.client_secret.reveal()}
        else:
            headers["Authorization"] = f"Basic {self.basic().reveal()}"
        body: str = prepare_token_request("client_credentials", "", scope=self.scope, **form)
        return headers, body.encode()

    def _header_safe(self) -> str:
        if self.tenant.isascii() and self.tenant.isprintable():
            return self.tenant
        raise ConfigError(
            "the tenant's key for the token endpoint can't stand in a header",
            where=self.name,
            advice='Correct it, or send it in the body: tenant_in = "body".',
        )

    def basic(self) -> Secret:
        """Client and secret as HTTP Basic has them: form-encoded before they are joined (RFC 6749, 2.3.1)."""
        pair = f"{quote_plus(self.client_id.reveal())}:{quote_plus(self.client_secret.reveal())}"
        return Secret(base64.b64encode(pair.encode()).decode())
