"""PIFU documents: what becomes of each element, what is refused, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harvester.errors import ProtocolError
from harvester.providers.pifu import PifuParser, Record
from harvester.providers.pifu_json import SPACE, membership_to_xml, to_xml

EXAMPLE = (Path(__file__).parents[2] / "data" / "pifu" / "example.xml").read_bytes()
OFFICIAL = Path(__file__).parents[4] / "shared" / "data" / "pifu-ims" / "PIFU-IMS_SAS_eksempel.xml"


def parsed(document: bytes, size: int = 1 << 20) -> list[Record]:
    parser = PifuParser()
    records: list[Record] = []
    for start in range(0, len(document), size):
        parser.feed(document[start : start + size])
        records += parser.take()
    parser.close()
    return records


def infoset(element: ElementTree.Element) -> tuple[object, ...]:
    """Everything of an element but white space between its children."""
    texts = [element.text or "", *(child.tail or "" for child in element)]
    if element.tag.rpartition("}")[2] == "membership":  # where members stand, white space alone says nothing
        texts = [text if text.strip(SPACE) else "" for text in texts]
    own = texts if len(element) == 0 or "".join(texts).strip(SPACE) else []
    return element.tag, sorted(element.attrib.items()), own, [infoset(child) for child in element]


def expected(document: bytes) -> list[tuple[object, ...]]:
    names = ("person", "group", "membership")
    return [infoset(e) for e in ElementTree.fromstring(document) if e.tag.rpartition("}")[2] in names]


def back(document: bytes) -> list[tuple[object, ...]]:
    """The same, of what the document's lines say."""
    namespace = ElementTree.fromstring(document).tag.rpartition("}")[0].lstrip("{")
    elements: list[bytes] = []
    members: dict[int, list[bytes]] = {}
    for resource, _, line in parsed(document):
        if resource != "memberships":
            elements.append(to_xml(line, resource, namespace))
            continue
        number = json.loads(line)["#membership"]
        members.setdefault(number, []).append(line)
    elements += [membership_to_xml(lines, namespace) for lines in members.values()]
    return [infoset(ElementTree.fromstring(element)) for element in elements]


def test_a_document_can_be_put_together_again_from_its_records() -> None:
    assert back(EXAMPLE) == expected(EXAMPLE)


def test_the_official_example_can_be_put_together_again() -> None:
    if not OFFICIAL.exists():
        pytest.skip(f"NOT RUN: {OFFICIAL.name} may not be copied here and is not beside the clone")
    document = OFFICIAL.read_bytes()
    assert back(document) == expected(document)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_it_does_not_matter_how_the_document_is_cut_into_chunks(size: int) -> None:
    assert parsed(EXAMPLE, size) == parsed(EXAMPLE)


def test_ids_are_those_in_force_and_cannot_be_mistaken() -> None:
    ids = {(resource, row_id) for resource, row_id, _ in parsed(EXAMPLE)}
    assert ("persons", "sas\\|b|p\\\\101") in ids
    assert ("groups", "sas|g1") in ids
    assert ("memberships", "sas|g1|sas|p1|01,02") in ids


def test_the_type_of_a_path_does_not_depend_on_the_data() -> None:
    first, second = (json.loads(line) for resource, _, line in parsed(EXAMPLE) if resource == "persons")
    assert isinstance(second["sourcedid"], list)
    assert isinstance(first["name"]["n"]["given"], str)
    assert second["name"]["n"]["given"] == ""
    assert first["comments"] == {"@lang": "nb", "#text": "Kåre & Åse <3"}
    assert first["extension"]["{urn:example:extra}own"] == [{"@a": "1", "#text": "  "}]


def test_members_of_one_membership_say_so() -> None:
    members = [json.loads(line) for resource, _, line in parsed(EXAMPLE) if resource == "memberships"]
    assert [member["#membership"] for member in members] == [1, 1]
    assert all(len(member["member"]) == 1 and member["comments"] == {"#text": "Alle"} for member in members)


def test_a_summary_tells_namespace_type_and_counts() -> None:
    parser = PifuParser()
    parser.feed(EXAMPLE)
    summary = parser.close()
    assert summary.namespace.endswith("pifu-ims_sas-v1")
    assert summary.export_type == "full"
    assert summary.counts == {"persons": 2, "groups": 1, "memberships": 2}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b'<!DOCTYPE enterprise [<!ENTITY a "b">]><enterprise/>', "DOCTYPE"),
        (b'<!DOCTYPE enterprise SYSTEM "http://x/y"><enterprise/>', "DOCTYPE"),
        (b"<other/>", "root element is <other>"),
        (b"<enterprise><person>", "well-formed"),
        (b"", "well-formed"),
        (b"{}", "well-formed"),
        (b"<enterprise><person>" + b"<a>" * 100, "deeper"),
        (b"<enterprise><person>&x;</person></enterprise>", "well-formed"),
        (b'<?xml version="1.0" encoding="nonsense"?><enterprise/>', "well-formed"),
        (b"<enterprise><person>\xff</person></enterprise>", "well-formed"),
    ],
)
def test_what_is_no_whole_document_is_refused_by_name(document: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        parsed(document)


def test_other_encodings_and_namespaces_are_read() -> None:
    text = '<?xml version="1.0" encoding="{}"?><enterprise xmlns="urn:0.9"><person>'
    text += "<sourcedid><id>å</id></sourcedid></person></enterprise>"
    for encoding in ("ISO-8859-1", "UTF-16", "UTF-8"):
        ((_, row_id, _),) = parsed(text.format(encoding).encode(encoding))
        assert row_id == "|å"


def test_a_record_without_an_id_is_told_apart() -> None:
    ((resource, row_id, _),) = parsed(b"<enterprise><person><name/></person></enterprise>")
    assert (resource, row_id) == ("persons", None)


def test_a_document_is_never_held() -> None:
    parser = PifuParser()
    parser.feed(b"<enterprise>")
    for i in range(2000):
        parser.feed(b"<person><sourcedid><id>%d</id></sourcedid><url>%s</url></person>" % (i, b"x" * 500))
        assert len(parser.take()) == 1
    assert len(parser._stack) == 1
