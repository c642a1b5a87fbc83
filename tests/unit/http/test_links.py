"""Where the next page is, and how large the collection."""

from __future__ import annotations

import pytest

from harvester.errors import ProtocolError
from harvester.http.links import next_link, total_of

HERE = "https://api.example/app/v1p1/users?limit=100&offset=0"
NEXT = "https://api.example/app/v1p1/users?limit=100&offset=100"


@pytest.mark.parametrize(
    "field",
    [
        f'<{NEXT}>; rel="next"',
        f"<{NEXT}>; rel=next",
        f"<{NEXT}>;rel='next'",
        f'<{NEXT}>; REL="Next"; title="a, b"',
        f'<{HERE}>; rel="first", <{NEXT}>; rel="next",',
        f'<{HERE}>; rel="first",\r\n <{NEXT}>; rel="prev next"',
        f'<https://api.example/other>; rel="up", < {NEXT} > ; rel="next"',
        '<?limit=100&offset=100>; rel="next"',
        '</app/v1p1/users?limit=100&offset=100>; rel="next"',
        '</users?limit=100&offset=100>; rel="next"',
        '<https://api.example/users?limit=100&offset=100>; rel="next"',
        '<https://API.example:443/app/v1p1/users?limit=100&offset=100#top>; rel="next"',
        '<//api.example/app/v1p1/users?limit=100&offset=100>; rel="next"',
    ],
)
def test_a_next_link_is_found_however_it_is_written(field: str) -> None:
    assert next_link({"link": field}, {}, HERE) == NEXT


@pytest.mark.parametrize(
    "field",
    [
        "",
        ",",
        "next",
        "<>; rel=next",
        f"<{NEXT}>",
        f"<{NEXT}>; rel=prev",
        f"{NEXT}; rel=next",
        '<http://[::>; rel="next"',
    ],
)
def test_what_is_no_next_link_is_none(field: str) -> None:
    assert next_link({"link": field}, {}, HERE) is None


@pytest.mark.parametrize(
    "envelope",
    [
        {"_links": {"next": {"href": NEXT}}},
        {"_links": {"next": NEXT}},
        {"links": {"next": {"href": "?limit=100&offset=100"}}},
        {"next": NEXT},
    ],
)
def test_a_next_link_may_stand_in_the_body(envelope: dict[str, object]) -> None:
    assert next_link({}, envelope, HERE) == NEXT


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("https://evil.example/app/v1p1/users?offset=100", "evil.example"),
        ("http://api.example/app/v1p1/users?offset=100", "api.example"),
        ("https://api.example:8443/app/v1p1/users?offset=100", "api.example"),
        ("https://api.example@evil.example/app/v1p1/users", "evil.example"),
        ("//169.254.169.254/latest/users", "169.254.169.254"),
    ],
)
def test_a_link_to_another_origin_is_refused_by_name(target: str, host: str) -> None:
    with pytest.raises(ProtocolError, match=f"another origin refused: .*host {host}"):
        next_link({"link": f'<{target}>; rel="next"'}, {}, HERE)


def test_a_link_to_another_path_is_refused() -> None:
    with pytest.raises(ProtocolError, match="another path refused"):
        next_link({"link": '</app/v1p1/tokens?offset=100>; rel="next"'}, {}, HERE)


def test_only_the_query_of_a_foreign_link_may_be_borrowed() -> None:
    field = '<http://10.0.0.7:8080/internal/users?limit=100&offset=100>; rel="next"'

    assert next_link({"link": field}, {}, HERE, foreign="borrow") == NEXT
    assert next_link({"link": field.replace("users", "tokens")}, {}, HERE, foreign="borrow") is None


def test_characters_that_have_no_place_on_the_wire_are_encoded() -> None:
    assert next_link({"link": '<?after=Åse>; rel="next"'}, {}, HERE) == (
        "https://api.example/app/v1p1/users?after=%C3%85se"
    )


@pytest.mark.parametrize(
    ("header", "envelope", "total"),
    [
        ("7440", {}, 7440),
        (" 7440 ", {"total": 1}, 7440),
        ("-1", {"total": 12}, 12),
        ("many", {"_meta": {"totalCount": "12"}}, 12),
        ("", {"meta": {"total": 12.0}}, 12),
        ("9" * 30, {"total": True}, None),
        ("", {"total": -3}, None),
        ("", {"total": 1.5, "_meta": "x"}, None),
    ],
)
def test_a_total_is_taken_from_the_header_or_else_the_envelope(
    header: str, envelope: dict[str, object], total: int | None
) -> None:
    assert total_of({"x-total-count": header}, envelope, "X-Total-Count") == total
