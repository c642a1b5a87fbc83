"""Links and totals out of whatever a server writes into them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from harvester.errors import ProtocolError
from harvester.http.links import next_link, total_of

HERE = "https://api.example:8443/app/ims/oneroster/v1p1/users?limit=100&offset=100"

pieces = st.sampled_from(
    [
        *["<", ">", ";", ",", '"', "'", " ", "\n", "@", "\\", "é", "\x00", "#x", "%", "..", "%2e%2e"],
        *["rel=next", 'rel="next"', "rel='prev next'", "?offset=200", "/users"],
        *["https://", "https://api.example:8443", "https://evil.example", "//evil.example", "http://[::1"],
        *["/app/ims/oneroster/v1p1/users", ":99999", "javascript:"],
    ]
)
fields = st.lists(pieces, max_size=12).map("".join) | st.text(max_size=60)
hrefs = fields.map(lambda text: text.replace("<", "").replace(">", ""))
nested: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | fields,
    lambda inner: st.dictionaries(
        st.sampled_from(["next", "href", "_links", "links", "total"]), inner, max_size=3
    ),
    max_leaves=5,
)


def is_ours(link: str) -> bool:
    url, here = urlsplit(link), urlsplit(HERE)
    below = url.path == here.path or url.path.startswith(here.path + "/")
    return (url.scheme, url.netloc) == (here.scheme, here.netloc) and below


@given(fields, nested)
@example("<//evil.example/users?offset=200>; rel=next", {})
@example("<https://api.example:8443@evil.example/users>; rel=next", {})
@example("<\\\\evil.example/users>; rel=next", {})
@example("<users/../../../../../token>; rel=next", {})
@example("<https://api.example:8443/app/ims/oneroster/v1p1/users/%2e%2e/token>; rel=next", {})
def test_a_link_is_ours_or_nothing_or_refused(field: str, envelope: Any) -> None:
    envelope = envelope if isinstance(envelope, dict) else {}
    try:
        link = next_link({"link": field}, envelope, HERE)
    except ProtocolError:
        pass
    else:
        assert link is None or is_ours(link)
    borrowed = next_link({"link": field}, envelope, HERE, foreign="borrow")
    assert borrowed is None or is_ours(borrowed)
    assert borrowed is None or (borrowed.isascii() and borrowed.isprintable() and " " not in borrowed)


@given(hrefs)
def test_a_link_in_the_envelope_obeys_the_same_rules(href: str) -> None:
    try:
        link = next_link({}, {"_links": {"next": {"href": href}}}, HERE)
    except ProtocolError:
        return
    assert link is None or is_ours(link)


@given(fields, nested)
def test_a_total_is_no_negative_number(field: str, envelope: Any) -> None:
    total = total_of(
        {"x-total-count": field}, envelope if isinstance(envelope, dict) else {}, "X-Total-Count"
    )

    assert total is None or (type(total) is int and total >= 0)
