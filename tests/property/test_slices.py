"""Pages cut into records, with the standard library's reader as the oracle."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.errors import ProtocolError
from harvester.http.client import Reply
from harvester.http.rows import identify
from harvester.http.slices import object_of, page_of, with_parent
from harvester.model import Page, Window

KEY = ("sourcedId",)
WINDOW = Window(300, 100)

# Half a surrogate pair is drawn now and then: `\ud83d` alone is JSON's grammar but nobody's text.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\u2028", "\x00", "[{", '"', "\\", "\\ud83d", "😀", "a, b: c", "Åse"]
)
halves = st.sampled_from(["\ud83d", "Kari \ud83d", "\udc00x"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
ids = texts.filter(bool) | st.integers(-(10**30), 10**30)
records = st.builds(
    lambda row, rest, version: {**rest, **row, **version},
    st.fixed_dictionaries({"sourcedId": ids}),
    st.dictionaries(texts, values, max_size=3),
    st.sampled_from([{}, {"dateLastModified": "2026-11-20T02:00:00Z"}, {"dateLastModified": None}]),
)
flawed = (
    scalars
    | st.dictionaries(texts.filter(lambda name: name != "sourcedId"), values, max_size=2)
    | st.builds(lambda text: {"sourcedId": "x", "name": text}, halves)
    | st.just({"sourcedId": ["no word"]})
    | st.just({"sourcedId": "deep", "x": json.loads("[" * 70 + "]" * 70)})
)
styles = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([None, (",", ":"), (" , ", " : ")]),
    }
)


def dump(value: Any, style: dict[str, Any]) -> bytes:
    try:
        return json.dumps(value, **style).encode()
    except UnicodeEncodeError:  # a half can only be sent as an escape
        return json.dumps(value, **{**style, "ensure_ascii": True}).encode()


def cut(body: bytes, key: tuple[str, ...] = KEY, headers: dict[str, str] | None = None) -> Page:
    reply = Reply(200, headers or {}, body, 0.1, url="https://api.example/v1/users?offset=300")
    return page_of(reply, key, WINDOW)


@given(st.lists(records, max_size=5), styles, st.sampled_from(["users", "orgs", "sourcedId", "data", ""]))
def test_every_record_becomes_one_line_that_means_the_same(
    rows: list[Any], style: dict[str, Any], name: str
) -> None:
    page = cut(dump({name: rows, "total": 7} if name else rows, style))

    assert not page.flaws
    assert [json.loads(line) for line in page.records] == rows
    assert not any(b"\n" in line or b"\r" in line for line in page.records)
    assert list(page.ids) == [str(row["sourcedId"]) for row in rows]
    assert list(page.versions) == [(row.get("dateLastModified") or "").encode() for row in rows]
    assert page.total == (7 if name else None)
    assert identify(page.records, KEY)[0] == list(page.ids)


@given(st.lists(records, max_size=5))
def test_a_compact_page_is_cut_without_changing_a_byte(rows: list[Any]) -> None:
    lines = [dump(row, {"separators": (",", ":")}) for row in rows]

    assert list(cut(b'{"users":[' + b",".join(lines) + b"]}").records) == lines


@given(st.lists(records.map(lambda r: (r, False)) | flawed.map(lambda r: (r, True)), max_size=6), styles)
def test_a_flawed_record_keeps_its_place_and_spoils_no_other(
    rows: list[tuple[Any, bool]], style: dict[str, Any]
) -> None:
    page = cut(dump({"users": [row for row, _ in rows]}, style))

    assert sorted(page.flaws) == [i for i, (_, bad) in enumerate(rows) if bad]
    assert [json.loads(line) for line in page.records] == [row for row, _ in rows]
    good = [str(row["sourcedId"]) for row, bad in rows if not bad]
    assert [page.ids[i] for i in range(len(rows)) if i not in page.flaws] == good
    stand_ins = [page.ids[i] for i in page.flaws]
    assert len(set(stand_ins)) == len(stand_ins)
    assert not set(stand_ins) & set(good)


@given(st.binary(max_size=200) | st.text('[]{}",:\\u dD8e0a1\n', max_size=60).map(str.encode))
def test_arbitrary_bytes_are_a_page_or_a_protocol_error(body: bytes) -> None:
    for read in (cut, lambda body: object_of(Reply(200, {}, body, 0.1))):
        try:
            read(body)
        except ProtocolError:
            continue
        try:
            json.loads(body)
        except UnicodeDecodeError:
            continue  # bytes that are no UTF-8 are a flaw of a record, not of the page


@given(st.lists(records, min_size=1, max_size=4), styles, st.data())
def test_a_page_with_a_bit_changed_is_a_page_or_a_protocol_error(
    rows: list[Any], style: dict[str, Any], data: st.DataObject
) -> None:
    body = bytearray(dump({"users": rows}, style))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    try:
        page = cut(bytes(body))
    except ProtocolError:
        return
    for row, line in enumerate(page.records):
        assert b"\n" not in line
        if row not in page.flaws:
            json.loads(line)


@given(st.lists(records, min_size=1, max_size=4), styles, st.data())
def test_a_page_that_is_cut_off_is_a_protocol_error(
    rows: list[Any], style: dict[str, Any], data: st.DataObject
) -> None:
    body = dump({"users": rows}, style)

    with pytest.raises(ProtocolError):
        cut(body[: data.draw(st.integers(0, len(body) - 1))])


@given(values, styles)
def test_an_object_becomes_one_line(value: Any, style: dict[str, Any]) -> None:
    line = object_of(Reply(200, {}, dump(value, style), 0.1))

    assert json.loads(line) == value
    assert b"\n" not in line


@given(values, texts, texts)
def test_a_child_says_whose_it_is(value: Any, key: str, parent: str) -> None:
    line = msgspec.json.format(dump(value, {}), indent=-1)
    child = json.loads(with_parent(line, key, parent))

    if not isinstance(value, dict):
        assert child == ({"value": value} if key == "value" else {key: parent, "value": value})
    elif key in value:
        assert child == value
    else:
        assert child == {key: parent, **value}
