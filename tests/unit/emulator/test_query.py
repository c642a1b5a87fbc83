"""OneRoster's query language, as its specification has it."""

from __future__ import annotations

import json

import pytest

from harvester.emulator.query import QueryError, chosen, matches, only, read_query
from harvester.emulator.roster import Record, Row

PERSON: Record = {
    "sourcedId": "b",
    "familyName": "O'Brien",
    "enabledUser": "true",
    "grades": ["08", "09"],
    "dateLastModified": "2026-11-02T00:00:00.000Z",
    "primaryOrg": {"sourcedId": "org-1"},
    "roles": [{"role": "student"}],
    "score": 3,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("familyName='O''Brien'", True),
        ("familyName!='O''Brien'", False),
        ("familyName~'brie'", True),
        ("sourcedId>'a'", True),
        ("sourcedId > 'b'", False),
        ("sourcedId>='b'", True),
        ("sourcedId<='b'", True),
        ("sourcedId<'b'", False),
        ("dateLastModified>='2026-11-01'", True),
        ("primaryOrg.sourcedId='org-1'", True),
        ("roles.role='student'", True),
        ("grades='09'", True),
        ("grades='10'", False),
        ("absent='x'", False),
        ("score='3'", True),
        ("familyName='x' OR enabledUser='true'", True),
        ("familyName='x' AND enabledUser='true'", False),
        ("familyName='AND OR'", False),
    ],
)
def test_a_filter_holds_or_does_not(text: str, holds: bool) -> None:
    assert matches(PERSON, text) is holds


@pytest.mark.parametrize("text", ["nonsense", "a=b", "a='b", "a='b' XOR c='d'", "a='b' AND"])
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(QueryError) as refused:
        matches(PERSON, text)
    assert (refused.value.minor, refused.value.status) == ("invalid_filter_field", 400)


def rows(*names: str) -> list[Row]:
    records = ({"sourcedId": f"{i}", "familyName": name} for i, name in enumerate(names))
    return [Row(str(record["sourcedId"]), record, json.dumps(record).encode()) for record in records]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({}, "0123"),
        ({"sort": "sourcedId", "orderBy": "desc"}, "3210"),
        ({"sort": "familyName"}, "1302"),
        ({"sort": "familyName", "orderBy": "foo"}, "1302"),
        ({"sort": "unknown"}, "0123"),
        ({"filter": "familyName='b'"}, "02"),
    ],
)
def test_rows_come_in_the_order_asked_for_and_by_id_otherwise(asked: dict[str, str], ids: str) -> None:
    table = rows("b", "a", "b", "a")
    assert "".join(row.id for row in chosen(table, read_query(asked, largest=100))) == ids
    assert "".join(row.id for row in table) == "0123", "the table itself stays as it is"


def test_limits_have_a_default_and_a_cap() -> None:
    assert read_query({}, largest=1000).limit == 100
    assert read_query({"limit": "5000"}, largest=1000).limit == 1000


@pytest.mark.parametrize("asked", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}, {"offset": "1.5"}])
def test_windows_that_are_none_are_refused(asked: dict[str, str]) -> None:
    with pytest.raises(QueryError):
        read_query(asked, largest=100)


def test_capitals_count_only_where_the_server_is_said_not_to_mind() -> None:
    asked = {"Limit": "7", "Offset": "3"}
    assert (read_query(asked, largest=100).limit, read_query(asked, largest=100).offset) == (100, 0)
    query = read_query(asked, largest=100, any_case=True)
    assert (query.limit, query.offset) == (7, 3)


def test_fields_leave_the_others_out_and_none_leaves_the_bytes_alone() -> None:
    text = b'{"sourcedId" : "b", "familyName":"x"}'
    row = Row("b", {"sourcedId": "b", "familyName": "x"}, text)
    assert only(row, ()) is text
    assert only(row, ("familyName",)) == b'{"familyName":"x"}'
    with pytest.raises(QueryError):
        only(row, ("nothing",))
