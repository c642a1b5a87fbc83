"""Addresses, scopes and headers: who overrules whom, and what is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from harvester.errors import ConfigError
from harvester.model import Application, SecretRef, Tenant
from harvester.providers.address import base_url, environment, headers, lack_of, scope, token_url
from harvester.providers.dialect import Environment, Provider, Resource, StaticBearer
from harvester.providers.registry import PROVIDERS

FLYT = PROVIDERS["flyt-oneroster"]
PROXY = PROVIDERS["classlink-proxy"]
SHIFTS = PROVIDERS["automatic-rostering"]
V1P2 = PROVIDERS["oneroster-v1p2"]
ROSTERING = "/ims/oneroster/rostering/v1p2"


def application(provider: Provider, **kept: str | None) -> Application:
    return Application(name="app", provider=provider.name, **kept)  # type: ignore[arg-type]


def tenant(base: str | None = None, **keys: str) -> Tenant:
    return Tenant("bergen", "app", base_url=base, keys=keys)


def address(provider: Provider, app: Application, one: Tenant, name: str = "users") -> str:
    resource = provider.resource(name)
    assert resource is not None
    return base_url(provider, app, one, resource)


def test_the_environments_address_is_used_where_nothing_else_is_said() -> None:
    app = application(FLYT)
    assert address(FLYT, app, tenant()) == f"https://api.oneroster.cloud.skole.visma.no{ROSTERING}"


def test_the_tenants_address_comes_before_the_applications_and_that_before_the_environments() -> None:
    app = application(FLYT, base_url="https://app.example.org")
    assert address(FLYT, app, tenant()) == f"https://app.example.org{ROSTERING}"
    assert address(FLYT, app, tenant("https://one.example.org")) == f"https://one.example.org{ROSTERING}"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("https://sis.example.org", f"https://sis.example.org{ROSTERING}"),
        ("https://sis.example.org/", f"https://sis.example.org{ROSTERING}"),
        ("https://sis.example.org:8443", f"https://sis.example.org:8443{ROSTERING}"),
        ("https://sis.example.org/api/roster/", "https://sis.example.org/api/roster"),
        (f"https://sis.example.org{ROSTERING}/", f"https://sis.example.org{ROSTERING}"),
    ],
)
def test_an_address_with_a_path_is_taken_as_it_is(stated: str, expected: str) -> None:
    assert address(V1P2, application(V1P2), tenant(stated)) == expected


def test_another_service_is_sought_beside_rostering_but_not_beside_a_path_of_the_servers_own() -> None:
    app = application(V1P2)
    beside = address(V1P2, app, tenant(f"https://sis.example.org/x{ROSTERING}"), "results")
    assert beside == "https://sis.example.org/x/ims/oneroster/gradebook/v1p2"
    assert (
        address(V1P2, app, tenant("https://sis.example.org/own"), "results") == "https://sis.example.org/own"
    )


def test_a_tenants_key_in_a_path_is_percent_encoded() -> None:
    app = application(PROXY)
    assert address(PROXY, app, tenant(app_id="a/b ü?#")) == (
        "https://oneroster-proxy.classlink.io/a%2Fb%20%C3%BC%3F%23/ims/oneroster/v1p1"
    )


@pytest.mark.parametrize(
    ("provider", "stage"),
    [(FLYT, "test"), (FLYT, "stage"), (PROVIDERS["flyt-skole"], "sandbox"), (SHIFTS, "stage")],
)
def test_an_environment_whose_host_is_not_published_asks_for_one(provider: Provider, stage: str) -> None:
    app = application(provider, environment=stage)
    with pytest.raises(ConfigError, match="no published address") as caught:
        base_url(provider, app, tenant(), provider.resources[0])
    assert "applications.app" in caught.value.advice
    assert token_url(provider, app).startswith("https://connect.")
    assert scope(provider, app)


def test_a_token_url_of_the_application_comes_first_and_one_is_needed() -> None:
    assert token_url(FLYT, application(FLYT)) == "https://connect.visma.com/connect/token"
    mine = application(FLYT, token_url="https://id.example.org")
    assert token_url(FLYT, mine) == "https://id.example.org"
    with pytest.raises(ConfigError, match="needs a token_url"):
        token_url(V1P2, application(V1P2))


def test_a_scope_is_the_applications_or_the_environments_and_an_empty_one_is_none() -> None:
    assert scope(SHIFTS, application(SHIFTS)) == "automatic-rostering-prod"
    assert scope(SHIFTS, application(SHIFTS, environment="stage")) == "automatic-rostering-stage"
    assert scope(SHIFTS, application(SHIFTS, scope="automatic-rostering:full")) == "automatic-rostering:full"
    assert scope(SHIFTS, application(SHIFTS, scope="")) is None
    assert scope(V1P2, application(V1P2)) is None


def test_headers_hold_the_tenants_keys() -> None:
    one = tenant(customer_id="47/11", user_id="robot")
    assert headers(SHIFTS, one) == {"CUSTOMER_ID": "47/11", "USER_ID": "robot"}
    assert headers(FLYT, one) == {}


def test_an_environment_nobody_declared_is_empty() -> None:
    assert environment(V1P2, application(V1P2, environment="nowhere")) == Environment()


BOTH = {"client_id": SecretRef("env", "I"), "client_secret": SecretRef("env", "S")}


@pytest.mark.parametrize(
    ("provider", "stated", "credentials", "said"),
    [
        (FLYT, {}, BOTH, None),
        (FLYT, {"environment": "test"}, BOTH, "no published address"),
        (FLYT, {"environment": "test", "base_url": "https://x.example.org"}, BOTH, None),
        (FLYT, {}, {"client_id": SecretRef("env", "I")}, 'needs "client_secret"'),
        (V1P2, {"base_url": "https://x.example.org"}, BOTH, "needs a token_url"),
        (V1P2, {"base_url": "https://x.example.org", "token_url": "https://y.example.org"}, BOTH, None),
        (PROVIDERS["classlink-direct"], {"base_url": "https://x.example.org"}, {}, 'needs "client_id"'),
    ],
)
def test_what_is_missing_to_reach_a_tenant_is_told(
    provider: Provider, stated: dict[str, str], credentials: Mapping[str, SecretRef], said: str | None
) -> None:
    app = application(provider, **stated)
    for one, holder in (
        (replace(tenant(), credentials=credentials), app),
        (tenant(), replace(app, credentials=credentials)),
    ):
        lack = lack_of(provider, holder, one)
        assert (lack is None) == (said is None)
        assert said is None or said in str(lack)


def test_a_static_bearer_needs_its_token_alone() -> None:
    provider = Provider(
        name="x",
        title="x",
        resources=(Resource(name="a", path="/a"),),
        auth=StaticBearer(),
        environments={"production": Environment(base_url="https://x.example.org")},
    )
    lack = lack_of(provider, application(provider), tenant())
    assert lack is not None
    assert 'needs "access_token"' in lack.what
    held = replace(tenant(), credentials={"access_token": SecretRef("env", "T")})
    assert lack_of(provider, application(provider), held) is None
