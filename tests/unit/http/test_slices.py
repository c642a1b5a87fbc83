"""Envelopes as providers send them, cut into records."""

from __future__ import annotations

import json

import pytest

from harvester.errors import ProtocolError
from harvester.http.client import Reply
from harvester.http.slices import LONGEST, object_of, page_of, with_parent
from harvester.model import Page, Window

URL = "https://api.example/v1/users?limit=2&offset=0"


def page(body: bytes | str, *key: str, **headers: str) -> Page:
    sent = body.encode() if isinstance(body, str) else body
    return page_of(Reply(200, headers, sent, 0.1, url=URL), key or ("sourcedId",), Window(0, 2))


@pytest.mark.parametrize(
    "body",
    [
        '{"users":[{"sourcedId":"a"}]}',
        '{"total":1,"users":[{"sourcedId":"a"}]}',
        '{"users":[{"sourcedId":"a"}],"total":1,"_meta":{"totalCount":1}}',
        '{"data":[{"sourcedId":"a"}],"limit":2,"offset":0}',
        '{"data":{"users":[{"sourcedId":"a"}],"total":1}}',
        '[{"sourcedId":"a"}]',
        '\ufeff { "users" : [ { "sourcedId" : "a" } ] }\r\n',
        '{"users":[{"sourcedId":"a"}],"statusInfoSet":[{"imsx_severity":"warning"}]}',
        '{"warnings":[],"users":[{"sourcedId":"a"}]}',
        '{"us\\u0065rs":[{"sourcedId":"a"}]}',
        '{"users":[{"sourcedId":"b"}],"users":[{"sourcedId":"a"}]}',
    ],
)
def test_the_one_array_is_found_wherever_it_stands(body: str) -> None:
    found = page(body)

    assert found.ids == ["a"]
    assert found.records == [b'{"sourcedId":"a"}']
    assert not found.flaws


@pytest.mark.parametrize("body", ['{"users":[]}', "[]", '{"total":0,"users":[ ]}', '{"users":[],"total":0}'])
def test_an_empty_array_is_an_empty_page(body: str) -> None:
    assert page(body).records == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("", "an empty body"),
        ("  \n", "an empty body"),
        ("<!DOCTYPE html><p>Sign in", "HTML"),
        ('{"users":[{"sourcedId":"a"', "cut off"),
        ('{"users":[{"sourcedId":NaN}]}', "malformed"),
        ('{"users":[{"x":-Infinity}]}', "malformed"),
        ('{"users":[{"x":"a\nb"}]}', "malformed"),
        ('{"users":[]} {}', "malformed"),
        ("OK", "not JSON"),
        ('"users"', "neither an object nor an array"),
        ('{"error":"no"}', "no array"),
        ('{"a":[],"b":[]}', "two arrays.*'a', 'b'"),
        ('{"a":[],"total":1,"b":[1]}', "two arrays"),
        ('{"data":{"a":[],"b":[]}}', "two arrays"),
        ('{"statusInfoSet":[]}', "no array"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":[' + "[" * 5000 + "]" * 5000 + "]}", "nested too deeply"),
    ],
)
def test_what_is_no_page_of_records_is_named(body: str, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        page(body)


def test_number_tokens_escapes_and_duplicate_keys_stay_as_sent() -> None:
    record = b'{"sourcedId":"x","n":12345678901234567890123,"f":1.10,"e":1e999,"u":"\\u00e5\\/","n":-0}'

    assert page(b'{"users":[' + record + b"]}").records == [record]


def test_the_last_of_two_equal_keys_names_the_record() -> None:
    assert page('{"users":[{"sourcedId":"a","sourcedId":"b"}]}').ids == ["b"]
    assert page('{"users":[1,{"sourcedId":"a","sourcedId":"b"}]}').ids[1] == "b"


def test_numbers_become_their_text() -> None:
    found = page(
        '{"jobs":[{"id":12345678901234567890123,"dateLastModified":17},{"id":"x"},{"id":1.50}]}', "id"
    )

    assert found.ids == ["12345678901234567890123", "x", "1.50"]
    assert found.versions == [b"17", b"", b""]


def test_the_first_of_the_keys_that_names_a_record_does() -> None:
    found = page('{"jobs":[{"jobId":"a","id":"b"},{"id":"c"},{"jobId":null,"id":"d"}]}', "jobId", "id")

    assert found.ids == ["a", "c", "d"]


def test_a_version_is_the_text_of_its_date() -> None:
    found = page('{"users":[{"sourcedId":"a","dateLastModified":"2026-11-20"},{"sourcedId":"b"}]}')

    assert found.versions == [b"2026-11-20", b""]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"null", "not an object"),
        (b'"a"', "not an object"),
        (b"[]", "not an object"),
        (b"{}", "no sourcedId"),
        (b'{"sourcedId":""}', "no sourcedId"),
        (b'{"sourcedId":null}', "no sourcedId"),
        (b'{"sourcedId":{"x":1}}', "no sourcedId"),
        (b'{"sourcedId":"c","name":"\xff"}', "not UTF-8"),
        (b'{"sourcedId":"c","x":' + b"[" * 64 + b"]" * 64 + b"}", "nested deeper"),
        (b'{"sourcedId":"c","name":"Kari \\ud83d"}', "surrogate"),
        (b'{"sourcedId":"c","name":"\\ue83d half-0- \\ud83d"}', "surrogate"),
        (b'{"sourcedId":"c","x":"' + b"x" * LONGEST + b'"}', "longer than 16 MiB"),
    ],
)
def test_a_flawed_record_is_named_kept_and_set_apart(record: bytes, why: str) -> None:
    found = page(b'{"users":[{"sourcedId":"a"},' + record + b',{"sourcedId":"b"}]}')

    assert list(found.flaws) == [1]
    assert why in found.flaws[1]
    assert found.records[1] == record
    assert [found.ids[0], found.ids[2]] == ["a", "b"]
    assert found.ids[1] not in ("a", "b", "c")


def test_brackets_within_texts_are_no_depth() -> None:
    assert not page(json.dumps({"users": [{"sourcedId": "a", "x": '[{"' * 100}]})).flaws
    assert not page(json.dumps({"users": [{"sourcedId": "a", "x": [[]] * 100}]})).flaws


def test_flawed_rows_of_two_windows_are_never_taken_for_one_row() -> None:
    reply = Reply(200, {}, b'{"users":[null]}', 0.1)

    assert page_of(reply, ("id",), Window(3, 1)).ids != page_of(reply, ("id",), Window(4, 1)).ids


def test_total_and_next_link_are_read_beside_the_records() -> None:
    found = page('{"users":[],"_meta":{"totalCount":5},"_links":{"next":{"href":"?limit=2&offset=2"}}}')

    assert (found.total, found.next_link) == (5, "https://api.example/v1/users?limit=2&offset=2")
    found = page('{"users":[]}', **{"x-total-count": "7", "link": '</users?offset=2>; rel="next"'})
    assert (found.total, found.next_link) == (7, "https://api.example/v1/users?offset=2")


def test_an_object_with_half_a_pair_is_refused() -> None:
    with pytest.raises(ProtocolError, match="surrogate"):
        object_of(Reply(200, {}, b'{"x":"\\ud83d"}', 0.1))


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (b'{"shift":1}', b'{"jobId":"7","shift":1}'),
        (b"{}", b'{"jobId":"7"}'),
        (b'{"shift":1,"jobId":"8"}', b'{"shift":1,"jobId":"8"}'),
        (b"[1]", b'{"jobId":"7","value":[1]}'),
        (b"null", b'{"jobId":"7","value":null}'),
    ],
)
def test_a_child_says_whose_it_is(record: bytes, line: bytes) -> None:
    assert with_parent(record, "jobId", "7") == line
