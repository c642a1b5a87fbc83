"""Every way in which a secret or a person could come into a log line, each with a canary of its own."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from harvester.config.secrets import Secret, Secrets
from harvester.errors import SinkError
from harvester.observe.redact import Redactor, one_line

ODD = 'c4n"ry+/=&<%\\ å$(.*'
"""A secret of all that is escaped somewhere, regular expressions included."""


def redactor(*values: str) -> Redactor:
    secrets = Secrets(environ={})
    for value in values:
        secrets.remember(Secret(value))
    return Redactor(secrets.scrub)


FORMS = {
    "plain": ODD,
    "percent": quote(ODD, safe=""),
    "percent, small": quote(ODD, safe="").lower(),
    "form": quote_plus(ODD),
    "twice percent": quote(quote(ODD, safe=""), safe=""),
    "base64": base64.b64encode(ODD.encode()).decode(),
    "basic": base64.b64encode(f"client:{ODD}".encode()).decode(),
    "json": json.dumps(ODD),
    "json, readable": json.dumps(ODD, ensure_ascii=False),
    "json, as PHP": json.dumps(ODD, ensure_ascii=False).replace("/", "\\/"),
    "json in json": json.dumps(json.dumps({"a": ODD})),
    "html": html.escape(ODD),
    "html, unquoted": html.escape(ODD, quote=False),
    "repr": repr(ODD),
    "bytes, as text": repr(ODD.encode()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_live_secret_is_hidden_in_whatever_form_it_travels(form: str) -> None:
    said = redactor(ODD).text(f"before {FORMS[form]} behind")
    assert "c4n" not in said.lower()
    assert base64.b64encode(ODD.encode()).decode()[4:12] not in said
    assert said.startswith("before ")
    assert said.endswith(" behind")


def test_of_secrets_within_secrets_the_longest_is_hidden_whole() -> None:
    said = redactor("abcd", "abcdefgh", "xxabcdefghyy").text("1 xxabcdefghyy 2 abcdefgh 3 abcd 4")
    assert said == "1 *** 2 *** 3 *** 4"


def test_secrets_that_overlap_or_touch_leave_nothing_between() -> None:
    assert redactor("abcdef", "defghi").text("1 abcdefghi 2 abcdefdefghi 3") == "1 *** 2 *** 3"


@pytest.mark.parametrize(
    ("secret", "text", "said"),
    [
        ("k9", "pin k9, k9x xk9 (k9)", "pin ***, k9x xk9 (***)"),
        ("k9!", "k9! 'k9!'", "*** '***'"),
        ("a", "a b", "a b"),
    ],
)
def test_a_short_secret_is_hidden_where_it_stands_alone(secret: str, text: str, said: str) -> None:
    assert redactor(secret).text(text) == said


def test_a_secret_that_a_message_cut_short_is_hidden_too() -> None:
    secret = "s3cr3t-0123456789-abcdefghij"
    assert redactor(secret).text(f"refused: {secret[:17]}...") == "refused: ***..."
    assert redactor("12345678").text("refused: 1234567") == "refused: 1234567"


def test_a_secret_that_is_found_later_is_hidden_from_then_on() -> None:
    secrets = Secrets(environ={})
    later = Redactor(secrets.scrub)
    secrets.remember(Secret("late-canary"))
    assert later.text("late-canary") == "***"


def test_names_and_nested_values_and_bytes_are_looked_at() -> None:
    said = redactor("canary-1234").value(
        {"canary-1234": 1, "list": [{"x": ("canary-1234", b"canary-1234", bytearray(b"canary-1234"))}]}
    )
    assert "canary-1234" not in str(said)


@pytest.mark.parametrize("inner", ["abc", b"abc", {"value": "abc"}, ["abc"], 42, ("abc",), {"abc": 1}])
def test_whatever_stands_under_a_telling_name_is_hidden(inner: object) -> None:
    for name in ("token", "client_secret", "Authorization", "x-api-key", "Set-Cookie", "password"):
        assert redactor().value({name: inner, "kept": 1}) == {name: "***", "kept": 1}


def test_a_number_that_is_a_secret_is_hidden() -> None:
    assert redactor("48151623").value({"pin": 48151623, "rows": 4815}) == {"pin": "***", "rows": 4815}


UNKNOWN = {
    "query": ("GET https://x/y?access_token=zzz9&page=2", "page=2"),
    "another query": ("https://x/y?a=1&sig=zzz9&X-Amz-Signature=zzz9&page=2", "page=2"),
    "encoded query": ("https://x/r?next=https%3A%2F%2Fy%3Fapi_key%3Dzzz9&page=2", "page=2"),
    "user": ("https://zzz9:zzz9@host/path", "@host/path"),
    "bearer": ("header Bearer zzz9.zzz9_zzz9 end", "end"),
    "small bearer": ("header bearer zzz9.zzz9_zzz9 end", "end"),
    "basic": ("Basic enp6OTp6eno5zzz9== end", "end"),
    "encoded bearer": ("auth=Bearer%20zzz9zzz9 end", "end"),
    "header": ("Cookie: a=zzz9; b=zzz9", "Cookie"),
    "json": ('{"refresh_token": "zzz9 zzz9", "page": 2}', '"page": 2'),
    "escaped json": ('{\\"client_secret\\": \\"zzz9\\", \\"page\\": 2}', "page"),
    "repr": ("{'password': 'zzz9', 'page': 2}", "'page': 2"),
    "bytes": ("{'password': b'zzz9', 'page': 2}", "'page': 2"),
    "oauth1": ('oauth_signature="zzz9%3D", oauth_consumer_key="zzz9", realm="r"', 'realm="r"'),
    "token": ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.zzz9 y", " y"),
    "mail": ("no account for zzz9.o'zzz9@example.org at 5", " at 5"),
}


@pytest.mark.parametrize("shape", UNKNOWN)
def test_what_looks_like_a_secret_or_a_person_is_hidden(shape: str) -> None:
    text, kept = UNKNOWN[shape]
    said = redactor().text(text)
    assert "zzz9" not in said.replace("zzz9.o'", "")
    assert kept in said


@pytest.mark.parametrize(
    "text",
    [
        "the token is no bearer token",
        "tenant oslo: access_token: the environment has no variable X. Set it: export X=...",
        "the token endpoint refuses us: HTTP 401 (invalid_client). Check client_id and client_secret",
        "users?limit=100&offset=200: HTTP 500 after 5 attempts",
        "s3://bucket/lake/a=b",
    ],
)
def test_our_own_sentences_stay_readable(text: str) -> None:
    assert redactor().text(text) == text


def test_what_an_error_quotes_is_hidden_as_it_may_be_a_person() -> None:
    said = redactor().value(ValueError("invalid literal for int() with base 10: 'Kari O\\'Nordmann'"))
    assert said == "ValueError: invalid literal for int() with base 10: '***'"
    assert redactor().foreign("can't read b'K\\xe5re' or \"Kari") == "can't read b'***' or \"***\""


def test_circles_depths_and_broken_objects_do_not_break_a_line() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("canary-1234")

    circle: dict[str, object] = {"broken": Broken()}
    circle["again"] = circle
    said = str(redactor("canary-1234").value(circle))
    assert "canary" not in said
    assert "whose text failed with RuntimeError" in said


def test_a_huge_text_is_looked_at_in_time_that_grows_with_its_size() -> None:
    for text in ("a" * 1_000_000, "a." * 500_000, "http://" * 100_000, "'" * 500_000, '"token"' * 100_000):
        assert len(redactor("canary-1234").foreign(text)) < 100_000


def test_an_error_that_leaves_the_program_holds_no_live_secret() -> None:
    error = redactor("canary-1234").error(
        SinkError("a canary-1234", where="canary-1234", advice="canary-1234")
    )
    assert "canary" not in f"{error} {error!r} {error.args}"


def test_a_line_can_neither_be_broken_nor_command_a_terminal() -> None:
    assert one_line("a\r\nb\x1b[2Jc\u2028d\u202ee\x9bf\x00g") == "a b [2Jc d e f g"
