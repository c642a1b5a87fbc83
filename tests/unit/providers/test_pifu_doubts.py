"""PIFU documents that are not what they seem: records elsewhere, nothing, or more than memory holds."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import repeat

import pytest

from harvester.errors import ProtocolError
from harvester.providers import pifu
from harvester.providers.pifu import PifuParser, PifuSummary, Record
from tests.unit.providers.test_pifu import back, expected, parsed

PROPERTIES = "<properties><datasource>sas</datasource><type>full</type></properties>"
SOURCED = "<sourcedid><source>s</source><id>1</id></sourcedid>"


def summed_up(document: str) -> PifuSummary:
    parser = PifuParser()
    parser.feed(document.encode())
    return parser.close()


@pytest.mark.parametrize(
    "document",
    [
        f'<enterprise xmlns:p="urn:p">{PROPERTIES}<p:person>{{}}</p:person></enterprise>'.format(
            SOURCED.replace("<", "<p:").replace("<p:/", "</p:")
        ),
        f'<enterprise xmlns="urn:a"><person xmlns="urn:b">{SOURCED}</person></enterprise>',
        f'<p:enterprise xmlns:p="urn:p"><person>{SOURCED}</person></p:enterprise>',
        f'<enterprise xmlns="urn:a" xmlns:b="urn:b"><b:person>{SOURCED}</b:person></enterprise>',
    ],
)
def test_records_are_found_in_whatever_namespace_they_are(document: str) -> None:
    ((resource, row_id, line),) = parsed(document.encode())
    assert (resource, row_id) == ("persons", "s|1")
    assert json.loads(line)["#namespace"] in ("urn:p", "urn:b", "")
    assert back(document.encode()) == expected(document.encode())


def test_members_are_found_in_whatever_namespace_they_are() -> None:
    member = f'<b:member>{SOURCED}<b:role roletype="01"/></b:member>'
    document = f'<enterprise xmlns:b="urn:b"><membership>{SOURCED}{member * 2}</membership></enterprise>'
    assert [row_id for _, row_id, _ in parsed(document.encode())] == ["s|1|s|1|01"] * 2
    assert back(document.encode()) == expected(document.encode())


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("<persons><person/></persons>", "<person> inside of <persons>"),
        (f'{PROPERTIES}<d xmlns="urn:d"><e><group xmlns=""/></e></d>', "<group> inside of <e>"),
        (f"<group>{SOURCED}<person>{SOURCED}</person></group>", "<person> inside of <group>"),
        ("<properties><membership/></properties>", "<membership> inside of <properties>"),
        ("<extension><person/></extension>", "<person> inside of <extension>"),
        ("<enterprise/>", "but 1 of <enterprise>"),
        (f"{PROPERTIES}<Person/><Person/><error/>", "but 2 of <Person>, 1 of <error>"),
        (f"{PROPERTIES}The database is gone", "but 1 of <text>"),
        ("", "without records and without a description"),
        ("<properties/>", "without records and without a description"),
        ("<properties><error>500</error></properties>", "without records and without a description"),
    ],
)
def test_a_document_in_which_nothing_is_found_is_not_believed_empty(inner: str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        summed_up(f"<enterprise>{inner}</enterprise>")


def test_an_empty_export_is_one_that_describes_itself() -> None:
    summary = summed_up(f"<enterprise><comments>none</comments>{PROPERTIES}</enterprise>")
    assert (summary.counts, summary.others, summary.export_type) == ({}, {}, "full")


def test_an_extension_may_hold_whatever_it_likes() -> None:
    person = f"<person>{SOURCED}<extension><person/></extension></person>"
    assert summed_up(f"<enterprise>{person}</enterprise>").counts == {"persons": 1}


def test_what_is_no_record_is_counted_beside_them() -> None:
    summary = summed_up(f"<enterprise>{PROPERTIES}<person>{SOURCED}</person><Group/><Group/></enterprise>")
    assert summary.others == {"Group": 2}


def test_a_second_type_does_not_hide_that_an_export_is_no_full_one() -> None:
    partly = PROPERTIES.replace("full", "incremental")
    assert summed_up(f"<enterprise>{partly}{PROPERTIES}</enterprise>").export_type == "incremental"
    assert summed_up(f"<enterprise>{PROPERTIES}{partly}</enterprise>").export_type == "incremental"


@pytest.mark.parametrize(
    "inner",
    [
        '<person xmlns:a="urn:a" xmlns:b="urn:b" a:x="1" b:x="2"/>',
        '<person><o:own xmlns:o="urn:o"><given xmlns="">x</given></o:own></person>',
        "<person><comments>a&#13;b</comments></person>",
        "<person><extension>\u00a0<a/></extension></person>",
        "<membership>before<member/>between<member/>behind</membership>",
        '<membership><member/><x:member xmlns:x="urn:x"/><member/></membership>',
        "<membership><member/><comments>late</comments><member/><url/></membership>",
    ],
)
def test_what_is_written_back_is_what_was_read(inner: str) -> None:
    document = f'<enterprise xmlns="urn:pifu">{inner}</enterprise>'.encode()
    assert back(document) == expected(document)


ENDLESS = {
    "comment": b"<enterprise><!-- ",
    "processing instruction": b"<enterprise><?p ",
    "tag": b'<enterprise><person a="',
    "comment before the root": b"<!-- ",
    "CDATA in a record": b"<enterprise><person><![CDATA[",
    "text in a record": b"<enterprise><person>",
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_does_not_end_is_refused_before_it_fills_the_memory(what: str) -> None:
    _assert_bounded(ENDLESS[what], repeat(b"x" * 65_536))


@pytest.mark.parametrize(
    ("opening", "pieces"),
    [
        (b"<enterprise><person>", repeat(b"<a/>" * 16_384)),
        (b"<enterprise><person>", repeat(b"x<a/>" * 13_107)),
        (b"<enterprise><person>", repeat(b'<a b=""/>' * 7_000)),
        (b"<enterprise><person>", repeat(b"<![CDATA[x]]><![CDATA[y]]>" * 2_500)),
        (b"<enterprise><membership>", repeat(b"<url/><member/>" * 4_000)),
        (b"<enterprise>", (b"<a%d/>" % i * 10 for i in range(10**9))),
        (b"<enterprise>", (b'<a b%d=""/>' % i for i in range(10**9))),
        (b"<enterprise>", (b'<p%d:a xmlns:p%d="u"/>' % (i, i) for i in range(10**9))),
        (b"<enterprise>", (b'<a xmlns="u%d"/>' % i for i in range(10**9))),
    ],
    ids=["elements", "mixed", "attributes", "CDATA", "shared", "names", "keys", "prefixes", "namespaces"],
)
def test_ever_more_tiny_things_are_refused_before_they_fill_the_memory(
    opening: bytes, pieces: Iterator[bytes]
) -> None:
    _assert_bounded(opening, pieces)


def _assert_bounded(opening: bytes, pieces: Iterator[bytes]) -> None:
    parser, most = PifuParser(), 256 * 1024 * 1024

    def feed_all() -> None:
        parser.feed(opening)
        for piece in pieces:
            parser.feed(piece)
            parser.take()

    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=r"longer than|more than"):
            feed_all()
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def test_a_long_comment_outside_of_records_is_read_over() -> None:
    comment = "<!--" + "x" * 500_000 + "-->"
    assert summed_up(f"{comment}<enterprise>{comment * 4}{PROPERTIES}</enterprise>").counts == {}


def test_each_member_costs_the_same_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is serialised is counted, not timed: a member's line must not be put together of all before it."""
    work = 0

    def value(element: pifu.Element) -> object:
        nonlocal work
        work += 1 + len(element.children) + sum(map(len, element.texts))
        return plain(element)

    plain = pifu.Element.value
    monkeypatch.setattr(pifu.Element, "value", value)
    costs = []
    for members in (1_000, 10_000):
        work, member = 0, f"\n  <member>{SOURCED}</member>"
        assert len(_members(f"{SOURCED}{member * members}")) == members
        costs.append(work / members)
    assert costs[1] < costs[0] * 1.1


def test_a_hundred_thousand_members_are_one_membership() -> None:
    member = f"\n  <member>{SOURCED}</member>"
    records = _members(f"{SOURCED}{member * 100_000}")
    assert len(records) == 100_000
    assert {line for _, _, line in records} == {records[0][2]}


def _members(inner: str) -> list[Record]:
    return parsed(f"<enterprise><membership>{inner}</membership></enterprise>".encode(), 65_536)
