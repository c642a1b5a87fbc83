"""A token request says who asks, for whom, and in the form that the endpoint wants."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import pytest

from harvester.auth.grants import Grant
from harvester.config.secrets import Secret
from harvester.errors import ConfigError

HARD = 'Zq4 €%:+=/&å"~*'


def grant(client_id: str = "ck", client_secret: str = "shh", **more: Any) -> Grant:
    return Grant("https://identity.example/token", Secret(client_id), Secret(client_secret), **more)


def form(asked: Grant) -> dict[str, str]:
    headers, body = asked.request()
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Accept"] == "application/json"
    return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True))


@pytest.mark.parametrize("value", [HARD, "plain", "a:b", "%41", " ", "日本"])
def test_basic_holds_id_and_secret_form_encoded_as_the_rfc_says(value: str) -> None:
    headers, body = grant(value, value).request()
    scheme, _, pair = headers["Authorization"].partition(" ")
    client_id, colon, client_secret = base64.b64decode(pair).decode("ascii").partition(":")
    assert (scheme, colon) == ("Basic", ":")
    assert unquote_plus(client_id) == unquote_plus(client_secret) == value
    assert body == b"grant_type=client_credentials"


@pytest.mark.parametrize("value", [HARD, "plain", "a:b", "%41", " ", "日本"])
def test_post_holds_id_and_secret_in_the_form_and_no_header(value: str) -> None:
    asked = grant(value, value, method="client_secret_post")
    assert form(asked) == {
        "grant_type": "client_credentials",
        "client_id": value,
        "client_secret": value,
    }
    assert "Authorization" not in asked.request()[0]


def test_a_scope_is_sent_only_when_there_is_one() -> None:
    scope = "one-roster-api:https://purl.imsglobal.org/spec/or/v1p2/scope/roster-core.readonly"
    assert form(grant(scope=scope))["scope"] == scope
    assert "scope" not in form(grant(scope=None))
    assert "scope" not in form(grant(scope=""))


def test_the_tenant_goes_where_it_is_wanted() -> None:
    body = grant(tenant="aa75", tenant_in="body")
    assert form(body)["tenant_ID"] == "aa75"
    assert "tenant_ID" not in body.request()[0]
    header = grant(tenant="aa75", tenant_in="header", tenant_param="X-Tenant")
    assert header.request()[0]["X-Tenant"] == "aa75"
    assert "tenant_ID" not in form(header)
    for none in (
        grant(tenant="aa75"),
        grant(tenant="", tenant_in="body"),
        grant(tenant="", tenant_in="header"),
    ):
        headers, _ = none.request()
        assert "aa75" not in f"{headers} {form(none)}"
        assert "tenant_ID" not in {*headers, *form(none)}


def test_a_tenant_that_would_break_out_of_a_header_is_refused() -> None:
    with pytest.raises(ConfigError, match="tenant_in"):
        grant(tenant="a\r\nX: y", tenant_in="header").request()


def test_a_key_differs_with_all_that_a_token_depends_on_and_tells_none_of_it() -> None:
    kinds = [
        grant(),
        grant("ck2"),
        grant(client_secret="other"),
        grant(scope="s"),
        grant(tenant="t", tenant_in="body"),
        grant(tenant="t2", tenant_in="body"),
        grant("ckt"),
        grant("ck", scope="t"),
    ]
    keys = {kind.key for kind in kinds}
    assert len(keys) == len(kinds)
    assert all(len(key) == 64 and "ck" not in key for key in keys)


def test_a_tenant_that_is_not_sent_does_not_make_a_key_of_its_own() -> None:
    assert grant(tenant="a").key == grant(tenant="b").key == grant(method="client_secret_post").key


def test_a_grant_does_not_show_its_secrets() -> None:
    assert "Zq4" not in repr(grant(HARD, HARD))
