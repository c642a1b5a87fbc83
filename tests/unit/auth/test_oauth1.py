"""Signatures that others made, reproduced to the letter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from authlib.oauth1.rfc5849.client_auth import ClientAuth

from harvester.auth import reference
from harvester.auth.oauth1 import PageSigner, SignatureMethod, encode_query, new_nonce
from harvester.errors import ConfigError

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "oauth1" / "vectors.json").read_text()
)
BASE = "https://rosters.example.test/ims/oneroster/v1p1/users"


def signer(method: SignatureMethod = "HMAC-SHA256", key: str = "ck", secret: str = "Zq4+/x=1") -> PageSigner:
    return PageSigner(key, secret, method=method, wall=lambda: 1700000000.9, nonce=lambda: "abcDEF0123")


def parameters(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    assert scheme == "OAuth"
    pairs = re.findall(r'([a-z_]+)="([^"]*)"(?:, |$)', rest)
    assert ", ".join(f'{name}="{value}"' for name, value in pairs) == rest
    return {name: unquote(value) for name, value in pairs}


def signature(url: str, **kept: Any) -> str:
    return parameters(signer(**kept).authorization(url))["oauth_signature"]


def theirs(url: str) -> str:
    header = reference.authorization(
        url, "ck", "Zq4+/x=1", method="HMAC-SHA256", nonce="abcDEF0123", timestamp="1700000000"
    )
    return parameters(header)["oauth_signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['method']} {v['url'][-40:]}")
def test_a_vector_of_public_libraries_is_reproduced(vector: dict[str, Any]) -> None:
    ours = PageSigner(
        vector["consumer_key"],
        vector["consumer_secret"],
        method=vector["method"],
        wall=lambda: float(vector["timestamp"]),
        nonce=lambda: vector["nonce"],
    )
    for _ in range(2):  # the second time from the template
        assert parameters(ours.authorization(vector["url"])) == {
            "oauth_consumer_key": vector["consumer_key"],
            "oauth_signature_method": vector["method"],
            "oauth_version": "1.0",
            "oauth_nonce": vector["nonce"],
            "oauth_timestamp": vector["timestamp"],
            "oauth_signature": vector["signature"],
        }
    made = ours._base_string("GET", vector["url"], vector["nonce"], vector["timestamp"])
    assert made.decode() == vector["base_string"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['method']} {v['url'][-40:]}")
def test_authlib_reproduces_the_vectors_too(vector: dict[str, Any]) -> None:
    header = reference.authorization(
        vector["url"],
        vector["consumer_key"],
        vector["consumer_secret"],
        method=vector["method"],
        nonce=vector["nonce"],
        timestamp=vector["timestamp"],
    )
    assert parameters(header)["oauth_signature"] == vector["signature"]


def test_the_example_of_the_rfc_is_reproduced() -> None:
    # RFC 5849, section 3.4.1.1, without its body and token: the query of its URL is what is hard about it.
    url = "http://EXAMPLE.COM:80/r%20v/X?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    made = signer("HMAC-SHA1", "9djdj82h48djs9d2")._base_string("GET", url, "7d8f3e4a", "137131201").decode()
    assert made == (
        "GET&http%3A%2F%2Fexample.com%2Fr%2520v%2FX&a2%3Dr%2520b%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26"
        "oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_version%3D1.0"
    )


@pytest.mark.parametrize(
    ("url", "same_as"),
    [
        ("HTTPS://Rosters.Example.TEST/ims/oneroster/v1p1/users", BASE),
        ("https://rosters.example.test:443/ims/oneroster/v1p1/users", BASE),
        (BASE + "?", BASE),
        (BASE + "?&&", BASE),
        ("https://rosters.example.test", "https://rosters.example.test/"),
        ("http://LOCALHOST:80/x?a=1", "http://localhost/x?a=1"),
        (BASE + "?q=a+b", BASE + "?q=a%20b"),
        (BASE + "?q=%41%2d", BASE + "?q=A-"),
        (BASE + "?q='x'", BASE + "?q=%27x%27"),
        (BASE + "?b=2&a=1", BASE + "?a=1&b=2"),
        (BASE + "?a=10&a=9", BASE + "?a=9&a=10"),
        (BASE + "?q", BASE + "?q="),
    ],
)
def test_urls_that_are_one_resource_are_signed_alike(url: str, same_as: str) -> None:
    assert signature(url) == signature(same_as) == theirs(same_as)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://rosters.example.test:444/x", "https://rosters.example.test/x"),
        ("https://rosters.example.test:80/x", "https://rosters.example.test/x"),
        ("https://rosters.example.test/a%2Fb", "https://rosters.example.test/a/b"),
        ("https://rosters.example.test/X", "https://rosters.example.test/x"),
        (BASE + "?a=01", BASE + "?a=1"),
        (BASE + "?a=", BASE),
    ],
)
def test_urls_that_differ_are_signed_differently(url: str, other: str) -> None:
    assert signature(url) != signature(other)
    assert signature(url) == theirs(url)


@pytest.mark.parametrize(
    "queries",
    [
        ["limit=100&offset=0", "limit=100&offset=100", "limit=9&offset=12345678901234567890"],
        ["a=1&a=2", "a=2&a=1", "a=10&a=9", "a=9&a=10"],
        ["a=x1&a=2", "a=x&a=2", "a=&a=0", "a=0&a="],
        ["a=0", "a=", "a", "0", "=0", "=", "a=b=5", "a=b=6", "a%3D=5", "a==5", "a=5=", "a=%35"],
        ["limit=1&offset=2&x=3", "limit=11&offset=22&x=33", "limit=1&offset=2&x=3y"],
        ["a={0}&b=5", "a=%7B0%7D&b=6", "%7B2%7D=7"],
        ["a=\uff11&b=2", "a=%EF%BC%91&b=3"],
        ["limit=0007", "limit=7", "limit=-7", "limit=+7", "limit=7.5"],
    ],
)
def test_a_template_serves_only_the_urls_of_its_shape(queries: list[str]) -> None:
    one = signer()
    for query in [*queries, *reversed(queries)]:
        url = f"{BASE}?{query}"
        assert parameters(one.authorization(url))["oauth_signature"] == theirs(url), query


def test_walking_by_id_does_not_fill_the_memory() -> None:
    one = signer()
    for number in range(2000):
        one.authorization(f"{BASE}?filter=sourcedId%3E%27u{number}x%27")
    assert len(one._templates) <= 512


def test_other_methods_are_signed_as_such() -> None:
    assert signer().authorization(BASE, "HEAD") != signer().authorization(BASE)
    assert signer()._base_string("post", BASE, "n", "1").startswith(b"POST&")


def test_octets_that_are_no_text_are_signed_as_they_are() -> None:
    made = signer()._base_string("GET", BASE + "?q=%ff%FE", "n", "1").decode()
    assert "%26q%3D%25FF%25FE" in made


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8443", "127.0.0.1:8080"])
def test_addresses_keep_their_brackets_and_ports(host: str) -> None:
    made = signer()._base_string("GET", f"http://{host}/x", "n", "1").decode()
    assert unquote(made.split("&")[1]) == f"http://{host}/x"


def test_a_key_with_percent_signs_is_escaped_once_and_not_twice() -> None:
    # authlib unescapes it twice and so signs another key; oauthlib agrees with us (see the property test).
    header = parameters(signer(key="a%41 é&=").authorization(BASE))
    assert header["oauth_consumer_key"] == "a%41 é&="


def test_a_query_that_holds_parameters_of_oauth_is_refused() -> None:
    with pytest.raises(ConfigError, match="oauth_nonce"):
        signer().authorization(BASE + "?oauth_nonce=5")


def test_each_signature_has_its_own_nonce_of_22_random_characters() -> None:
    ours = PageSigner("ck", "s", wall=lambda: 1.0)
    nonces = {parameters(ours.authorization(BASE))["oauth_nonce"] for _ in range(100)}
    assert len(nonces) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce) for nonce in nonces | {new_nonce()})


def test_a_query_is_encoded_so_that_only_unreserved_characters_stay_plain() -> None:
    pairs = [("filter", "familyName='Ødegård' AND a~b"), ("filter", ""), ("f[]", "a/b+c*(d)!")]
    assert encode_query(pairs) == (
        "filter=familyName%3D%27%C3%98deg%C3%A5rd%27%20AND%20a~b&filter=&f%5B%5D=a%2Fb%2Bc%2A%28d%29%21"
    )
    assert encode_query([]) == ""


def test_the_reference_leaves_authlibs_own_methods_alone() -> None:
    assert "HMAC-SHA256" not in ClientAuth.SIGNATURE_METHODS
