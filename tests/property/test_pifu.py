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
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\r\n\t \u00a0\u2028"),
    max_size=8,
)
NAMES = st.sampled_from(
    [
        *("comments", "sourcedid", "id", "source", "name", "fn", "tel", "extension", "pifu_id", "other"),
        *("member", "x:own", "x:member", "y:id", "xml:odd"),
    ]
)
ATTRIBUTES = st.sampled_from(["a", "lang", "type", "xml:lang", "x:a", "y:a", "y:b"])
ESCAPES = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
ROOTS = st.sampled_from(["", 'xmlns="urn:pifu"', 'xmlns="urn:p&amp;q"'])
OTHERS = 'xmlns:x="urn:x" xmlns:y="urn:\u00e9"'


@st.composite
def elements(draw: st.DrawFn, names: st.SearchStrategy[str] = NAMES, depth: int = 3) -> str:
    name = draw(names)
    attributes = draw(st.dictionaries(ATTRIBUTES, LETTERS, max_size=3))
    children = draw(st.lists(elements(NAMES, depth - 1), max_size=3)) if depth else []
    inner = "".join(escape(draw(LETTERS), ESCAPES) + child for child in children)
    inner += escape(draw(LETTERS), ESCAPES)
    declared = draw(st.sampled_from(["", "", "", ' xmlns="urn:z"', ' xmlns=""']))
    spelled = "".join(f" {k}={quoteattr(v, ESCAPES)}" for k, v in attributes.items())
    return f"<{name}{declared}{spelled}>{inner}</{name}>"


def exported(own: str, inner: list[str]) -> bytes:
    """A document whose namespace is declared by `own`."""
    return f"<enterprise {own} {OTHERS}>{''.join(inner)}</enterprise>".encode()


@settings(max_examples=300, deadline=None)
@given(ROOTS, st.lists(elements(st.sampled_from(["person", "group"])), min_size=1, max_size=2))
def test_any_record_survives_the_way_to_json_and_back(own: str, records: list[str]) -> None:
    document = exported(own, records)
    assert back(document) == expected(document)


@settings(max_examples=300, deadline=None)
@given(ROOTS, st.lists(elements(st.just("membership")), min_size=1, max_size=3))
def test_any_membership_is_put_together_again_from_its_members(own: str, memberships: list[str]) -> None:
    document = exported(own, memberships)
    assert back(document) == expected(document)


@settings(max_examples=100, deadline=None)
@given(ROOTS, elements(st.sampled_from(["person", "membership"])), st.integers(1, 30))
def test_it_does_not_matter_where_the_document_is_cut(own: str, record: str, size: int) -> None:
    document = exported(own, [record])
    assert parsed(document, size) == parsed(document)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: b"<enterprise><person>" + b))
def test_any_bytes_raise_only_our_own_error(document: bytes) -> None:
    parser = PifuParser()
    with contextlib.suppress(ProtocolError):
        parser.feed(document)
        parser.close()
