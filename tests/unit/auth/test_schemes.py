"""Each tenant is proved by its provider's scheme, with its own credentials before its application's."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from urllib.parse import parse_qsl

import pytest

from harvester.auth.schemes import BearerSigner, OAuth1Signer, StaticSigner, signer_for
from harvester.auth.tokens import TokenCache
from harvester.config.secrets import Secrets, parse_reference
from harvester.errors import ConfigError, SecretError
from harvester.http.proof import Signer
from harvester.model import Application, Tenant
from harvester.providers.dialect import (
    Auth,
    ClientCredentials,
    Environment,
    OAuth1,
    Provider,
    Resource,
    StaticBearer,
)
from tests import virtual
from tests.identity import Endpoint, cache, grant, granted, numbered

pytestmark = pytest.mark.anyio
URL = "https://api.example/ims/oneroster/v1p1/users?limit=100&offset=0"
REFS = {"client_id": "env:ID", "client_secret": "env:SECRET", "access_token": "env:TOKEN"}
ENVIRON = {"ID": "ck-app", "SECRET": "Zq4-app", "TOKEN": "tok-app", "OWN": "own-value"}


@pytest.fixture
def anyio_backend() -> object:
    return virtual.BACKEND


def provider(auth: Auth) -> Provider:
    return Provider(
        name="flyt",
        title="Flyt",
        resources=(Resource(name="users", path="/users"),),
        auth=auth,
        environments={
            "production": Environment(token_url="https://identity.example/token", scope="declared"),
            "test": Environment(),
        },
    )


def application(**more: Any) -> Application:
    kept: dict[str, Any] = {"credentials": {key: parse_reference(ref) for key, ref in REFS.items()}, **more}
    return Application("flyt", "flyt", **kept)


def tenant(**credentials: str) -> Tenant:
    refs = {key: parse_reference(ref) for key, ref in credentials.items()}
    return Tenant("bergen", "flyt", keys={"tenant_id": "aa75"}, credentials=refs)


def made(
    auth: Auth, app: Application | None = None, who: Tenant | None = None, tokens: TokenCache | None = None
) -> Signer:
    return signer_for(
        provider(auth),
        app or application(),
        who or tenant(),
        secrets=Secrets(environ=ENVIRON),
        cache=tokens or cache(numbered()),
        clock=virtual.VirtualClock(),
    )


# --- which signer, with what


async def test_a_static_bearer_is_sent_as_it_is_and_never_renewed() -> None:
    signer = made(StaticBearer())
    proof = await signer.prove("GET", URL)
    assert isinstance(signer, StaticSigner)
    assert proof.headers == {"Authorization": "Bearer tok-app"}
    assert proof.token is None
    assert not signer.refused(proof)


async def test_oauth1_signs_each_request_anew_by_the_configured_method() -> None:
    for app, expected in ((None, "HMAC-SHA256"), (application(signature="HMAC-SHA1"), "HMAC-SHA1")):
        signer = made(OAuth1(), app)
        proofs = [await signer.prove("GET", URL) for _ in range(2)]
        assert isinstance(signer, OAuth1Signer)
        assert proofs[0].headers != proofs[1].headers
        header = proofs[0].headers["Authorization"]
        assert f'oauth_signature_method="{expected}"' in header
        assert 'oauth_consumer_key="ck-app"' in header
        assert f'oauth_timestamp="{int(virtual.EPOCH)}"' in header
        assert not signer.refused(proofs[0])


async def test_client_credentials_ask_as_the_provider_declares() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        signer = made(ClientCredentials(method="client_secret_post", tenant_in="body"), tokens=tokens)
        proof = await signer.prove("GET", URL)
        assert isinstance(signer, BearerSigner)
        assert proof.headers == {"Authorization": "Bearer token-0"}
    url, _, body = endpoint.posts[0]
    assert url == "https://identity.example/token"
    assert dict(parse_qsl(body.decode())) == {
        "grant_type": "client_credentials",
        "scope": "declared",
        "tenant_ID": "aa75",
        "client_id": "ck-app",
        "client_secret": "Zq4-app",
    }


async def test_the_application_overrules_the_provider() -> None:
    endpoint = numbered()
    app = application(
        token_url="https://other.example/t", scope="", token_auth="client_secret_basic", tenant_in="header"
    )
    async with cache(endpoint) as tokens:
        auth = ClientCredentials(method="client_secret_post", tenant_in="body")
        await made(auth, app, tokens=tokens).prove("GET", URL)
    url, headers, body = endpoint.posts[0]
    assert url == "https://other.example/t"
    assert headers["tenant_ID"] == "aa75"
    assert headers["Authorization"].startswith("Basic ")
    assert body == b"grant_type=client_credentials"


async def test_a_tenants_own_credentials_come_before_its_applications() -> None:
    proof = await made(StaticBearer(), who=tenant(access_token="env:OWN")).prove("GET", URL)
    assert proof.headers == {"Authorization": "Bearer own-value"}


@pytest.mark.parametrize(
    ("auth", "key"),
    [
        (StaticBearer(), "access_token"),
        (OAuth1(), "client_id"),
        (OAuth1(), "client_secret"),
        (ClientCredentials(), "client_id"),
        (ClientCredentials(), "client_secret"),
    ],
)
def test_a_missing_credential_is_named_with_its_tenant_and_where_to_set_it(auth: Auth, key: str) -> None:
    refs = {name: parse_reference(ref) for name, ref in REFS.items() if name != key}
    with pytest.raises(ConfigError) as caught:
        made(auth, application(credentials=refs))
    assert str(caught.value).startswith(f"tenant bergen: {key}: flyt needs a {key}. ")
    assert "applications.flyt" in str(caught.value)


def test_a_secret_that_is_not_there_is_named_with_its_tenant() -> None:
    with pytest.raises(SecretError) as caught:
        made(StaticBearer(), who=tenant(access_token="env:ABSENT"))
    assert str(caught.value).startswith("tenant bergen: access_token: the environment has no variable ABSENT")


def test_an_environment_without_a_token_url_is_told() -> None:
    with pytest.raises(ConfigError, match="token_url"):
        made(ClientCredentials(), application(environment="test"))


@pytest.mark.parametrize("value", ["Bearer Zq4", "Zq4é", "Zq4\t"])
def test_a_static_token_that_no_header_may_hold_is_refused_unseen(value: str) -> None:
    with pytest.raises(SecretError) as caught:
        made(StaticBearer(), who=tenant(access_token=f"literal:{value}"))
    assert "Zq4" not in str(caught.value)


def test_a_client_id_in_the_clear_is_not_scrubbed_from_everything() -> None:
    secrets = Secrets(environ=ENVIRON)
    signer_for(
        provider(OAuth1()),
        application(),
        tenant(client_id="literal:demo"),
        secrets=secrets,
        cache=cache(numbered()),
        clock=virtual.VirtualClock(),
    )
    assert secrets.scrub("./demo/lake Zq4-app") == "./demo/lake ***"


# --- refused by the API


def bearer(tokens: TokenCache, tenant_id: str = "aa75") -> BearerSigner:
    return BearerSigner(tokens, grant(tenant_id), virtual.VirtualClock())


async def test_a_refused_token_is_renewed_once_for_all_that_flew_with_it() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        signer = bearer(tokens)
        proofs = [await signer.prove("GET", URL) for _ in range(64)]
        assert [signer.refused(proof) for proof in proofs] == [True] * 64
        assert (await signer.prove("GET", URL)).headers == {"Authorization": "Bearer token-1"}
    assert len(endpoint.posts) == 2


async def test_a_late_refusal_of_an_old_token_does_not_discard_the_newer_one() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        signer = bearer(tokens)
        old = await signer.prove("GET", URL)
        signer.refused(old)
        new = await signer.prove("GET", URL)
        assert signer.refused(old)
        assert (await signer.prove("GET", URL)).token is new.token
    assert len(endpoint.posts) == 2


async def test_an_api_that_refuses_two_renewed_tokens_in_a_row_refuses_us() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        signer = bearer(tokens)
        answers = []
        for _ in range(6):
            answers.append(signer.refused(await signer.prove("GET", URL)))
            await asyncio.sleep(0.2)
        assert answers == [True, True, False, False, False, False]
    assert len(endpoint.posts) == 3


async def test_a_token_that_served_for_a_while_may_be_renewed_again_and_again() -> None:
    async with cache(numbered()) as tokens:
        signer = bearer(tokens)
        for _ in range(10):
            await signer.prove("GET", URL)
            await asyncio.sleep(30)
            assert signer.refused(await signer.prove("GET", URL))


async def test_a_tenant_whom_the_api_refuses_leaves_a_shared_token_to_the_others() -> None:
    endpoint = Endpoint([lambda number: granted(f"token-{number}")])
    clock = virtual.VirtualClock()
    async with cache(endpoint, rng=random.Random(2)) as tokens:
        shared = grant("", tenant_in="none")
        bad, good = BearerSigner(tokens, shared, clock), BearerSigner(tokens, shared, clock)
        for _ in range(7):  # its resources, one after the other
            for _ in range(3):  # more tries than a request has
                bad.refused(await bad.prove("GET", URL))
                await asyncio.sleep(0.1)
            await good.prove("GET", URL)
            await asyncio.sleep(60)
        proof = await good.prove("GET", URL)
        assert good.refused(proof)
    assert len(endpoint.posts) == 3
