"""Signatures are verified as RFC 5849 has it: what others signed is accepted, anything else is not."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request

from harvester.emulator.faults import Faults
from harvester.emulator.identity import WINDOW, Client, Identity, base_string

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "oauth1" / "vectors.json").read_text()
)
AT = 1_700_000_000


def said(vector: dict[str, Any]) -> dict[str, str]:
    return {
        "oauth_consumer_key": vector["consumer_key"],
        "oauth_nonce": vector["nonce"],
        "oauth_signature_method": vector["method"],
        "oauth_timestamp": vector["timestamp"],
        "oauth_version": "1.0",
    }


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['method']} {vector['url'][-30:]}")
def test_base_strings_are_those_of_other_implementations(vector: dict[str, Any]) -> None:
    assert base_string("get", vector["url"], said(vector)) == vector["base_string"]


def signed(identity: Identity, vector: dict[str, Any], **changed: str) -> bool:
    """Whether a request with this vector's signature is let in at the client's door."""
    parameters = {**said(vector), "oauth_signature": vector["signature"], **changed}
    header = "OAuth " + ", ".join(
        f'{name}="{quote(value, safe="-._~")}"' for name, value in parameters.items()
    )
    path = vector["url"].partition("://")[2]
    host, slash, rest = path.partition("/")
    request = make_mocked_request("GET", slash + rest, headers={"Host": host, "Authorization": header})
    return identity.signed(request, Client(vector["consumer_key"], vector["consumer_secret"]))


def plain() -> dict[str, Any]:
    """A vector, re-signed for plain HTTP: the emulator has no TLS."""
    vector = dict(VECTORS[1], url=VECTORS[1]["url"].replace("https", "http"))
    base = base_string("GET", vector["url"], said(vector))
    key = quote(vector["consumer_secret"], safe="-._~").encode() + b"&"
    vector["signature"] = base64.b64encode(hmac.digest(key, base.encode(), "sha1")).decode()
    return vector


@pytest.fixture
def identity() -> Identity:
    return Identity(Faults(), wall=lambda: AT)


def test_a_nonce_is_good_once_and_a_wrong_signature_does_not_use_it_up(identity: Identity) -> None:
    vector = plain()
    assert not signed(identity, vector, oauth_signature="AAAA")
    assert signed(identity, vector)
    assert not signed(identity, vector)


@pytest.mark.parametrize(
    "changed",
    [
        {"oauth_consumer_key": "other"},
        {"oauth_signature_method": "PLAINTEXT"},
        {"oauth_signature_method": "HMAC-SHA256"},
        {"oauth_timestamp": "soon"},
        {"oauth_nonce": ""},
        {"oauth_version": "2.0"},
        {"oauth_signature": ""},
    ],
)
def test_what_was_not_signed_is_not_let_in(identity: Identity, changed: dict[str, str]) -> None:
    assert not signed(identity, plain(), **changed)


@pytest.mark.parametrize(
    ("off", "good"), [(0, True), (WINDOW, True), (WINDOW + 1, False), (-WINDOW - 1, False)]
)
def test_clocks_may_differ_by_five_minutes(off: float, good: bool) -> None:
    assert signed(Identity(Faults(), wall=lambda: AT + off), plain()) is good


def test_other_schemes_are_not_signatures(identity: Identity) -> None:
    client = Client("ck", "x")
    for header in ("", "Bearer abc", "OAuth", "OAuth realm"):
        request = make_mocked_request("GET", "/users", headers={"Authorization": header, "Host": "h"})
        assert not identity.signed(request, client)
