"""CSV bundles and folders of records as tenants."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harvester.emulator.csv_bundle import CsvBundle
from harvester.emulator.records import Records
from harvester.emulator.roster import Roster
from harvester.emulator.school import School

DATA = Path(__file__).parents[2] / "data"


def test_a_1_2_bundle_has_roles_and_profiles_in_its_users() -> None:
    bundle = CsvBundle(DATA / "oneroster-v1p2-csv")
    assert bundle.version == "1.2"
    kari, ola = (row.value for row in bundle.collection("users"))
    assert kari["userIds"] == [{"type": "Feide", "identifier": "kari"}, {"type": "Ldap", "identifier": "7"}]
    assert kari["primaryOrg"] == {"href": "/orgs/o2", "sourcedId": "o2", "type": "org"}
    assert [(role["roleType"], role["role"], role["org"]["sourcedId"]) for role in kari["roles"]] == [
        ("primary", "student", "o2"),
        ("secondary", "aide", "o1"),
    ]
    assert kari["userProfiles"][0]["vendorId"] == "v1"
    assert kari["grades"] == ["01", "02"]
    assert kari["agents"] == [{"href": "/users/u2", "sourcedId": "u2", "type": "user"}]
    assert kari["metadata"] == {"shoe": "38"}
    assert "middleName" not in ola
    assert [row.id for row in School(bundle).rows("students") or ()] == ["u1"]


def test_a_1_1_bundle_with_a_doubled_head_is_read() -> None:
    bundle = CsvBundle(DATA / "oneroster-v1p1-csv")
    assert bundle.version == "1.1"
    assert {name: len(bundle.collection(name)) for name in ("orgs", "users", "enrollments")} == {
        "orgs": 4,
        "users": 384,
        "enrollments": 1772,
    }
    enrollment = bundle.collection("enrollments")[0].value
    assert enrollment["class"]["type"] == "class"
    assert enrollment["class"]["href"].startswith("/classes/")


@pytest.mark.parametrize(
    ("name", "text"),
    [("users.csv", "sourcedId,status\nu1\n"), ("users.csv", "status\nactive\n"), ("readme.txt", "x")],
)
def test_a_bundle_that_is_none_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=r"csv"):
        _ = CsvBundle(tmp_path).names


def test_records_are_served_as_they_stand_in_order_of_id(tmp_path: Path) -> None:
    (tmp_path / "users.ndjson").write_bytes(b'{"sourcedId":"b", "x":1.10}\n\n{"sourcedId":"a","x":1,"x":2}\n')
    rows = Records(tmp_path).collection("users")
    assert [row.text for row in rows] == [b'{"sourcedId":"a","x":1,"x":2}', b'{"sourcedId":"b", "x":1.10}']


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "users.ndjson").write_bytes(b'{"sourcedId":"a"}\n{"id":1}\n')
    with pytest.raises(ValueError, match=r"users\.ndjson, line 2"):
        Records(tmp_path).collection("users")


def test_the_same_seed_gives_the_same_rosters_and_every_reference_leads_somewhere() -> None:
    one, two = Roster("oslo", 1, 100, "v1p2"), Roster("oslo", 1, 100, "v1p2")
    other = Roster("oslo", 2, 100, "v1p2")
    assert [row.text for row in one.collection("users")] == [row.text for row in two.collection("users")]
    assert [row.text for row in one.collection("users")] != [row.text for row in other.collection("users")]
    ids = {row.id for name in one.names for row in one.collection(name)}
    for name in one.names:
        for row in one.collection(name):
            for reference in _references(json.loads(row.text)):
                assert reference in ids


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [str(value["sourcedId"])] if "href" in value else []
        return own + [found for inner in value.values() for found in _references(inner)]
    return [found for inner in value for found in _references(inner)] if isinstance(value, list) else []
