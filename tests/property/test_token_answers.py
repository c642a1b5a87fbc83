"""Whatever a token endpoint answers is a token that can be used or an error of ours."""

from __future__ import annotations

import math
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.auth.answers import LONGEST_TOKEN, code_of, life_of, refusal_of, token_of
from harvester.errors import AuthError, HarvesterError, ProtocolError
from harvester.http.messages import Reply
from tests import virtual
from tests.identity import Endpoint, cache, grant

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.from_regex(r"[+-]?[0-9_.eE]{1,30}", fullmatch=True)
NAMES = st.sampled_from(["access_token", "token_type", "expires_in", "error", "error_description", "x"])
CODES = st.sampled_from(["invalid_client", "invalid_scope", "server_error", "slow_down", "{other}"])
ANSWERS = st.dictionaries(NAMES, JSON | CODES | st.just("Bearer"), max_size=5)


def written(answer: object) -> bytes:
    try:
        return orjson.dumps(answer)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return repr(answer).encode(errors="replace")


STATUSES = st.sampled_from([0, 200, 200, 200, 204, 302, 400, 401, 403, 429, 500, 503])
BODIES = st.binary(max_size=200) | ANSWERS.map(written) | JSON.map(written)


def reply(body: bytes, status: int = 200) -> Reply:
    return Reply(status, {}, body, 0.0)


@settings(max_examples=1000, deadline=None)
@given(BODIES)
def test_any_bytes_are_a_usable_token_or_a_protocol_error(body: bytes) -> None:
    try:
        fresh = token_of(reply(body), "tenant bergen")
    except ProtocolError:
        return
    token = fresh.secret.reveal()
    assert 0 < len(token) <= LONGEST_TOKEN
    assert all(33 <= ord(character) < 127 for character in token)
    assert 30 <= fresh.life <= 86400


@settings(max_examples=500, deadline=None)
@given(BODIES, st.integers(300, 499))
def test_any_refusal_is_told_without_its_text(body: bytes, status: int) -> None:
    error = refusal_of(reply(body, status), "tenant bergen", "client_secret_basic")
    assert isinstance(error, AuthError)
    assert str(status) in error.what
    assert "{" not in str(error)
    said = error.what.partition("(")[2].rstrip(")")
    assert said == code_of(reply(body))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(STATUSES, BODIES), min_size=1, max_size=4))
def test_any_answers_in_a_row_end_in_a_token_or_an_error_of_ours(answers: list[tuple[int, bytes]]) -> None:
    async def ask() -> None:
        replies: list[Any] = [reply(body, status) for status, body in answers]
        async with cache(Endpoint(replies), rng=random.Random(3)) as tokens:
            for _ in range(3):
                try:
                    token = await tokens.get(grant())
                except HarvesterError:
                    continue
                assert token.good_until > token.renew_at > token.since
                tokens.reject(grant(), token)

    virtual.run(ask)


@settings(max_examples=1000, deadline=None)
@given(JSON | NUMBERS | st.sampled_from(["inf", "-inf", "nan", "Infinity"]))
def test_any_life_is_between_half_a_minute_and_a_day(expires_in: object) -> None:
    life = life_of(expires_in)
    assert math.isfinite(life)
    assert 30 <= life <= 86400


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        (3600, 3600),
        ("3600", 3600),
        ("3600.0", 3600),
        (3599.5, 3599.5),
        (" 3600 ", 3600),
        (0, 30),
        (-1, 30),
        ("-7200", 30),
        (10**12, 86400),
        (10**400, 86400),
        (-(10**400), 30),
        (math.inf, 86400),
        ("1e999", 86400),
        (math.nan, 300),
        (True, 300),
        (False, 300),
        (None, 300),
        ("soon", 300),
        ("", 300),
        ([3600], 300),
        ({"seconds": 3600}, 300),
    ],
)
def test_a_stated_life_is_read_as_it_may_be_meant(expires_in: object, life: float) -> None:
    assert life_of(expires_in) == life


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "x"},
        {"access_token": "x", "token_type": None},
        {"access_token": "x", "token_type": "bearer"},
        {"access_token": "x", "token_type": "BEARER", "expires_in": None},
        {"access_token": "x", "token_type": " Bearer "},
    ],
)
def test_a_bearer_token_is_taken_in_any_case_and_without_a_type(answer: dict[str, Any]) -> None:
    assert token_of(reply(orjson.dumps(answer)), "").secret.reveal() == "x"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        "x",
        None,
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"access_token": ["x"]},
        {"access_token": "a\r\nX: y"},
        {"access_token": "a b"},
        {"access_token": "é"},
        {"access_token": "a\u0000"},
        {"access_token": "x" * (LONGEST_TOKEN + 1)},
        {"access_token": "x", "token_type": "mac"},
        {"access_token": "x", "token_type": 5},
        {"access_token": "x", "padding": "y" * 70000},
    ],
)
def test_a_token_that_can_not_be_used_is_none(answer: object) -> None:
    with pytest.raises(ProtocolError):
        token_of(reply(orjson.dumps(answer)), "")
