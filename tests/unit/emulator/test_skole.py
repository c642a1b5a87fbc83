"""The PIFU export keeps to the schema's enumerations, and says what the roster says."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harvester.emulator.csv_bundle import CsvBundle
from harvester.emulator.records import Records
from harvester.emulator.roster import Roster
from harvester.emulator.school import School, Source
from harvester.emulator.server import GRAND_BEND
from harvester.emulator.skole import NAMESPACE, document

OFFICIAL = Path(__file__).parents[4] / "shared" / "data" / "pifu-ims" / "PIFU-IMS_SAS.xsd"
CSV = Path(__file__).parents[2] / "data" / "oneroster-v1p2-csv-school"
SOURCES = [Roster("bergtatt-2", 1, 130, "v1p2"), CsvBundle(CSV), Records(GRAND_BEND)]
NAMES = {"p": NAMESPACE}


def export(source: Source) -> ElementTree.Element:
    return ElementTree.fromstring(b"".join(document(School(source))))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_persons_groups_and_members_are_those_of_the_roster(source: Source) -> None:
    root, school = export(source), School(source)
    ids = {
        kind: [found.text for found in root.findall(f"p:{kind}/p:sourcedid[last()]/p:id", NAMES)]
        for kind in ("person", "group", "membership")
    }
    assert ids["person"] == [row.id for row in school.rows("users") or ()]
    groups = [row.id for name in ("orgs", "classes") for row in school.rows(name) or ()]
    assert sorted(ids["group"], key=str) == sorted(groups)
    members = root.findall("p:membership/p:member/p:sourcedid/p:id", NAMES)
    assert len(members) == len(school.rows("enrollments") or ())


@pytest.mark.parametrize("source", SOURCES[:2], ids=["Roster", "CsvBundle"])  # Grand Bend's district has none
def test_every_group_lies_below_one_that_exists(source: Source) -> None:
    root = export(source)
    own = {found.text for found in root.findall("p:group/p:sourcedid/p:id", NAMES)}
    above = {found.text for found in root.findall("p:group/p:relationship/p:sourcedid/p:id", NAMES)}
    assert above <= own


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official PIFU-IMS schema is not here")
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_coded_values_are_those_that_the_official_schema_lists(source: Source) -> None:
    schema = ElementTree.parse(OFFICIAL)
    xs = {"xs": "http://www.w3.org/2001/XMLSchema"}
    listed = {found.get("value") for found in schema.iterfind(".//xs:enumeration", xs)}
    root = export(source)
    texts = {
        found.text
        for path in ("grouptype/p:scheme", "grouptype/p:typevalue")
        for found in root.iterfind(f"p:group/p:{path}", NAMES)
    }
    attributes = {
        found.get(name)
        for path, name in ((".//p:role", "roletype"), (".//p:userid", "useridtype"), (".//p:tel", "teltype"))
        for found in root.iterfind(path, NAMES)
    }
    assert texts | attributes <= listed
    assert {found.tag.partition("}")[0][1:] for found in root.iter()} == {NAMESPACE}


def test_a_comment_and_a_national_number_are_there_to_be_found_where_they_should_not_be() -> None:
    text = b"".join(document(School(SOURCES[0])))
    assert b"personNIN" in text
    assert b'password="' in text
    assert b"Skjermet" in text
