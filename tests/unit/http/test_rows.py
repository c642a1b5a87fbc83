"""Who a record is: read from heads where the provider puts it there, else from the whole, always alike."""

from __future__ import annotations

import pytest

from harvester.http import rows
from harvester.http.rows import Rows, is_tombstone, rows_of

HEAD = b'"sourcedId":"%s","status":"%s","dateLastModified":"%s"'
KEY = ("sourcedId",)


def test_the_heads_of_records_are_enough_where_they_hold_all() -> None:
    records = [b"{" + HEAD % (b"u%d" % i, b"active", b"2026") + b',"name":"Aud, 5"}' for i in range(3)]

    assert rows_of(records, KEY) == Rows(["u0", "u1", "u2"], [b"2026"] * 3, frozenset())


@pytest.mark.parametrize(
    "record",
    [
        b"{" + HEAD % (b"x,", b"active", b"2026") + b"}",
        b"{" + HEAD % (b"x,", b"tobedeleted", b"2026") + b',"a":{"b":1,"c":2}}',
        b'{"name":"a,","sourcedId":"x,","x":[1,{"sourcedId":"no"}],"dateLastModified":"2026"}',
        b'{"sourcedId":"x,","a":{"status":"tobedeleted","dateLastModified":"no"},"dateLastModified":"2026"}',
        b'{"sourcedId":"x,","dateLastModified":"2026"}',
        b'{"dateLastModified":"2026","sourcedId":"x,","status":null,"y":"z,"}',
        b'{"a":1,"b":"\\",\\"sourcedId\\":\\"no\\"","sourcedId":"x,","dateLastModified":"2026"}',
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_record_among_others_is_read_as_if_it_were_alone(record: bytes, place: int) -> None:
    """Wherever a head is cut, what is read is what the whole record says of itself."""
    others = [b"{" + HEAD % (b"u%d" % i, b"active", b"2025") + b',"grades":["1","2"]}' for i in range(2)]
    records = [*others[:place], record, *others[place:]]

    found = rows_of(records, KEY)

    assert found is not None
    assert found.ids[place] == "x,"
    assert found.versions[place] == b"2026"
    assert (place in found.tombstones) == is_tombstone(record)
    assert [row_id for i, row_id in enumerate(found.ids) if i != place] == ["u0", "u1"]


def test_the_whole_is_read_where_heads_do_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [b'{"name":"%d","status":"active","sourcedId":"u%d"}' % (i, i) for i in range(3)]
    alone = rows_of(records, KEY)
    monkeypatch.setattr(rows, "_read_heads", lambda *_: None)

    assert rows_of(records, KEY) == alone == Rows(["u0", "u1", "u2"], [b""] * 3, frozenset())


def test_records_without_a_common_id_are_nobody_s() -> None:
    assert rows_of([b'{"sourcedId":1}'], KEY) is None
    assert rows_of([b'{"sourcedId":""}'], KEY) is None
    assert rows_of([], KEY) == Rows([], [], frozenset())
