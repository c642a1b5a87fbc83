"""PIFU: any tree of elements survives the way to JSON and back; any bytes raise only our own error."""

from __future__ import annotations

import contextlib
from xml.sax.saxutils import escape, quoteattr

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import ProtocolError
from harvester.providers.pifu import PifuParser
from tests.unit.providers.test_pifu import back, expected, parsed

LETTERS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"),
    max_size=8,
)
NAMES = st.sampled_from(
    ["comments", "sourcedid", "id", "source", "name", "fn", "tel", "extension", "pifu_id", "other", "member"]
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(NAMES)
    attributes = draw(st.dictionaries(st.sampled_from(["a", "lang", "type"]), LETTERS, max_size=2))
    children = draw(st.lists(elements(depth - 1), max_size=3)) if depth else []
    inner = "".join(escape(draw(LETTERS)) + child for child in children) + escape(draw(LETTERS))
    return f"<{name}{''.join(f' {k}={quoteattr(v)}' for k, v in attributes.items())}>{inner}</{name}>"


@settings(max_examples=300, deadline=None)
@given(st.lists(elements(), max_size=4), st.sampled_from(["person", "group"]))
def test_any_element_survives_the_way_to_json_and_back(inner: list[str], name: str) -> None:
    document = f"<enterprise><{name}>{''.join(inner)}</{name}></enterprise>".encode()
    assert back(parsed(document)) == expected(document)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: b"<enterprise><person>" + b))
def test_any_bytes_raise_only_our_own_error(document: bytes) -> None:
    parser = PifuParser()
    with contextlib.suppress(ProtocolError):
        parser.feed(document)
        parser.close()
