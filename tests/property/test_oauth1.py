"""Our signatures are authlib's and oauthlib's, and oauthlib's server takes them, whatever the URL."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from urllib.parse import unquote

import oauthlib.oauth1
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from harvester.auth import reference
from harvester.auth.oauth1 import PageSigner, SignatureMethod, encode_query, escape

NONCE = "abcDEF0123-_abcDEF0123"
METHODS: tuple[SignatureMethod, ...] = ("HMAC-SHA256", "HMAC-SHA1")
KEY = "ck-1 é&=+"


class Server(RequestValidator):
    """A server that knows one secret."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.secret = secret

    dummy_client = "nobody"
    enforce_ssl = False
    allowed_signature_methods = METHODS

    def check_client_key(self, client_key: str) -> bool:
        return True

    def check_nonce(self, nonce: str) -> bool:
        return re.fullmatch(r"[A-Za-z0-9_-]{22,}", nonce) is not None

    def validate_timestamp_and_nonce(self, *args: object, **kept: object) -> bool:
        return True

    def validate_client_key(self, client_key: str, request: object) -> bool:
        return client_key == KEY

    def get_client_secret(self, client_key: str, request: object) -> str:
        return self.secret


def parameters(header: str) -> dict[str, str]:
    return {name: unquote(value) for name, value in re.findall(r'(oauth_[a-z_]+)="([^"]*)"', header)}


def all_agree(ours: PageSigner, url: str, secret: str, method: SignatureMethod, wall: float) -> None:
    header = ours.authorization(url)
    stamp = str(int(wall))
    theirs = reference.authorization(url, KEY, secret, method=method, nonce=NONCE, timestamp=stamp)
    client = oauthlib.oauth1.Client(
        KEY, client_secret=secret, signature_method=method, nonce=NONCE, timestamp=stamp
    )
    _, others, _ = client.sign(url)
    assert parameters(header) == parameters(theirs) == parameters(others["Authorization"]), url
    taken, _ = SignatureOnlyEndpoint(Server(secret)).validate_request(
        url, "GET", headers={"Authorization": header}
    )
    assert taken, url


PIECES = [*"aZ09-._~ '\"%+/&=?#!*(),;:@$[]|\\^`<>åØ€\t\n\u2028", "{0}", "%25", "%2F", "100", "日本", "😀"]
PIECES += ["sourcedId>", " AND ", "status='active'"]


def written(pick: Callable[[list[str]], str], count: Callable[[int], int]) -> str:
    """One URL made of the hard pieces; `pick` and `count` are the dice."""

    def text(most: int) -> str:
        return "".join(pick(PIECES) for _ in range(count(most)))

    scheme, host = pick(["https://Rosters.Example.TEST", "https://10.0.0.7", "http://LocalHost"]).split("//")
    port = pick(["", "", ":80", ":443", ":8443"])
    path = "".join("/" + escape(text(2)) for _ in range(count(3))) or pick(["", "/"])
    pairs = [("limit", str(count(1000))), ("offset", str(count(10**6)))][: count(2)]
    pairs += [(pick(["filter", "f", "sort", "limit", text(2)]), text(4)) for _ in range(count(4))]
    pairs = [(name, value) for name, value in pairs if name]
    query = encode_query(pairs)
    return f"{scheme}//{host}{port}{path}{'?' + query if pairs else ''}"


def test_two_thousand_urls_are_signed_as_two_libraries_do_and_a_third_party_takes_them() -> None:
    rng = random.Random(5849)
    wall = time.time()
    signers = {
        (secret, method): PageSigner(KEY, secret, method=method, wall=lambda: wall, nonce=lambda: NONCE)
        for secret in ("Zq4+/x=1", "s3cr&t/+ å€%41")
        for method in METHODS
    }
    seen = set()
    for _ in range(2000):
        (secret, method), ours = rng.choice(list(signers.items()))
        url = written(rng.choice, lambda most: rng.randint(0, most))
        seen.add(url)
        all_agree(ours, url, secret, method, wall)
    assert len(seen) > 1900


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=20)), max_size=5),
    st.text(min_size=1, max_size=20),
    st.sampled_from(METHODS),
)
def test_any_text_is_signed_as_the_libraries_do(
    pairs: list[tuple[str, str]], secret: str, method: SignatureMethod
) -> None:
    pairs = [(name, value) for name, value in pairs if name != "realm" and not name.startswith("oauth_")]
    wall = time.time()
    ours = PageSigner(KEY, secret, method=method, wall=lambda: wall, nonce=lambda: NONCE)
    url = "https://rosters.example.test/ims/oneroster/v1p1/users?" + encode_query(pairs)
    all_agree(ours, url, secret, method, wall)
    all_agree(ours, url, secret, method, wall)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet="0123456789ab=&%25+é{}", max_size=14), min_size=2, max_size=6))
def test_a_signer_that_has_seen_other_urls_signs_as_a_new_one(queries: list[str]) -> None:
    def fresh() -> PageSigner:
        return PageSigner(KEY, "s", wall=lambda: 1700000000.0, nonce=lambda: NONCE)

    old = fresh()
    for query in queries:
        url = f"https://rosters.example.test/x?{query}"
        assert old.authorization(url) == fresh().authorization(url)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=20)), max_size=5))
def test_an_encoded_query_says_what_was_meant_in_unreserved_characters(pairs: list[tuple[str, str]]) -> None:
    query = encode_query(pairs)
    assert re.fullmatch(r"(?:[A-Za-z0-9._~&=-]|%[0-9A-F]{2})*", query)
    if query:
        halves = [pair.split("=") for pair in query.split("&")]
        assert [(unquote(name), unquote(value)) for name, value in halves] == pairs
