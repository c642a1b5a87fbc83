"""How a request proves who we are: a token of the cache, a static bearer, or an OAuth 1.0a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from harvester.auth.grants import Grant
from harvester.auth.oauth1 import PageSigner
from harvester.auth.tokens import Token, TokenCache
from harvester.clock import Clock
from harvester.config.secrets import Secret, Secrets
from harvester.errors import ConfigError
from harvester.model import Application, Tenant
from harvester.providers.address import scope, token_url
from harvester.providers.dialect import ClientCredentials, OAuth1, Provider, StaticBearer


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """Headers for one request, and the token they hold."""

    headers: Mapping[str, str]
    token: Token | None = None


class Signer(Protocol):
    async def prove(self, method: str, url: str) -> Proof:
        """Headers for a request of `url`, exactly as it goes on the wire."""
        ...

    def refused(self, proof: Proof) -> bool:
        """The API answered 401 to this proof. Whether another could fare better."""
        ...


class BearerSigner:
    """A token of the cache, renewed by itself."""

    def __init__(self, cache: TokenCache, grant: Grant) -> None:
        self._cache = cache
        self._grant = grant

    async def prove(self, method: str, url: str) -> Proof:  # noqa: ARG002 - the same for every request
        token = await self._cache.get(self._grant)
        return Proof({"Authorization": f"Bearer {token.secret.reveal()}"}, token)

    def refused(self, proof: Proof) -> bool:
        assert proof.token is not None
        self._cache.reject(self._grant, proof.token)
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
    """A signature of each request; a refused one would be refused again."""

    def __init__(self, signer: PageSigner) -> None:
        self._signer = signer

    async def prove(self, method: str, url: str) -> Proof:
        assert method == "GET"
        return Proof({"Authorization": self._signer.authorization(url)})

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
    """The signer of one tenant. Raises `SecretError`, and `ConfigError` for a missing secret."""

    def secret(name: str) -> Secret:
        ref = tenant.credentials.get(name) or application.credentials.get(name)
        if ref is None:
            raise ConfigError(
                f"{provider.name} needs a {name}",
                where=f"tenant {tenant.id}",
                advice=f"Set it for the tenant or for applications.{application.name}.",
            )
        return secrets.resolve(ref)

    match provider.auth:
        case StaticBearer():
            return StaticSigner(secret("access_token"))
        case OAuth1() as auth:
            method = application.signature or auth.signature
            key, shared = secret("client_id").reveal(), secret("client_secret").reveal()
            return OAuth1Signer(PageSigner(key, shared, method=method, wall=clock.wall))
        case ClientCredentials() as auth:
            return BearerSigner(
                cache,
                _grant(provider, application, tenant, auth, secret("client_id"), secret("client_secret")),
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
