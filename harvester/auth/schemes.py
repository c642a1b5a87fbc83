"""How a request proves who we are: a token of the cache, a static bearer, or an OAuth 1.0a signature."""

from __future__ import annotations

from harvester.auth.grants import Grant
from harvester.auth.oauth1 import PageSigner
from harvester.auth.tokens import Token, TokenCache
from harvester.clock import Clock
from harvester.config.secrets import Secret, Secrets
from harvester.errors import ConfigError, SecretError
from harvester.http.proof import Proof, Signer
from harvester.model import Application, Tenant
from harvester.providers.address import scope, token_url
from harvester.providers.dialect import ClientCredentials, OAuth1, Provider, StaticBearer

MOST_RENEWALS = 2
"""Renewed tokens that may be refused in a row before it is us whom the API refuses."""
SERVED = 5.0
"""Seconds from a token's first use to its refusal from which it must have been good in between."""


class BearerSigner:
    """A token of the cache, renewed by itself: one signer a tenant, so that one's refusals are its own.

    Tenants may share a token. One whom the API refuses whatever the token gives up after two renewals, and
    leaves the token that serves the others in peace.
    """

    def __init__(self, cache: TokenCache, grant: Grant, clock: Clock) -> None:
        self._cache = cache
        self._grant = grant
        self._clock = clock
        self._used: Token | None = None
        self._used_since = 0.0
        self._refused: Token | None = None
        self._refusals = 0
        """tokens refused in a row, none of which is known to have served in between"""

    async def prove(self, method: str, url: str) -> Proof:  # noqa: ARG002 - the same for every request
        token = await self._cache.get(self._grant)
        if token is not self._used:
            self._used, self._used_since = token, self._clock.now()
        return Proof({"Authorization": f"Bearer {token.secret.reveal()}"}, token)

    def refused(self, proof: Proof) -> bool:
        token = proof.token
        assert isinstance(token, Token)
        # Many requests may fly with one token: their refusals are one, and say nothing of a newer one.
        if token is self._used and token is not self._refused:
            if self._clock.now() - self._used_since >= SERVED:
                self._refusals = 0
            self._refused = token
            self._refusals += 1
        if self._refusals > MOST_RENEWALS:
            return False
        self._cache.reject(self._grant, token)
        return True


class StaticSigner:
    """A bearer token that never expires, and that nothing can renew."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def prove(self, method: str, url: str) -> Proof:  # noqa: ARG002
        return Proof({"Authorization": f"Bearer {self._token.reveal()}"})

    def refused(self, proof: Proof) -> bool:  # noqa: ARG002
        return False


class OAuth1Signer:
    """A signature of each request. A refused one is not repeated: its key, or somebody's clock, is wrong."""

    def __init__(self, signer: PageSigner) -> None:
        self._signer = signer

    async def prove(self, method: str, url: str) -> Proof:
        return Proof({"Authorization": self._signer.authorization(url, method)})

    def refused(self, proof: Proof) -> bool:  # noqa: ARG002
        return False


def signer_for(
    provider: Provider,
    application: Application,
    tenant: Tenant,
    *,
    secrets: Secrets,
    cache: TokenCache,
    clock: Clock,
) -> Signer:
    """The signer of one tenant, whose own credentials come before its application's.

    Looks them up, which may block: `SecretError` when one can't be had, `ConfigError` when none is named.
    """

    def secret(key: str) -> Secret:
        ref = tenant.credentials.get(key) or application.credentials.get(key)
        where = f"tenant {tenant.id}: {key}"
        if ref is None:
            raise ConfigError(
                f"{provider.name} needs a {key}",
                where=where,
                advice=f"Set it for the tenant or for applications.{application.name}.",
            )
        if key == "client_id" and ref.scheme == "literal":
            return Secret(ref.rest)  # a name that stands in the configuration: logs needn't be rid of it
        try:
            return secrets.resolve(ref)
        except SecretError as error:
            raise SecretError(error.what, where=where, advice=error.advice) from None

    match provider.auth:
        case StaticBearer():
            return StaticSigner(_header_safe(secret("access_token"), tenant))
        case OAuth1() as auth:
            method = application.signature or auth.signature
            key, shared = secret("client_id").reveal(), secret("client_secret").reveal()
            return OAuth1Signer(PageSigner(key, shared, method=method, wall=clock.wall))
        case ClientCredentials() as auth:
            client = secret("client_id"), secret("client_secret")
            return BearerSigner(cache, _grant(provider, application, tenant, auth, *client), clock)


def _header_safe(token: Secret, tenant: Tenant) -> Secret:
    """A static token that can stand in a header as it is."""
    value = token.reveal()
    if value.isascii() and value.isprintable() and " " not in value:
        return token
    raise SecretError(
        "the token holds a space or a character that no header may hold",
        where=f"tenant {tenant.id}: access_token",
        advice="Copy it anew from the provider's console, without the word Bearer.",
    )


def _grant(
    provider: Provider,
    application: Application,
    tenant: Tenant,
    auth: ClientCredentials,
    client_id: Secret,
    client_secret: Secret,
) -> Grant:
    tenant_in = application.tenant_in or auth.tenant_in
    return Grant(
        token_url=token_url(provider, application),
        client_id=client_id,
        client_secret=client_secret,
        scope=scope(provider, application),
        tenant=tenant.keys.get(auth.tenant_key, "") if tenant_in != "none" else "",
        method=application.token_auth or auth.method,
        tenant_in=tenant_in,
        tenant_param=auth.tenant_param,
        name=f"tenant {tenant.id}",
    )
