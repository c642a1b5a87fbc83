"""CSV bundles and folders of records become tenants: documented, repeatable, and strict about mistakes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harvester.emulator.csv_bundle import CsvBundle
from harvester.emulator.records import Records
from harvester.emulator.school import School
from harvester.emulator.server import GRAND_BEND, Emulator

DATA = Path(__file__).parents[2] / "data"
SECOND = DATA / "oneroster-v1p2-csv-school"


def by_id(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    return {row.id: json.loads(row.text) for row in CsvBundle(folder).collection(name)}


def test_manifests_tell_the_version_a_doubled_head_line_or_none() -> None:
    assert CsvBundle(DATA / "oneroster-v1p1-csv").version == "1.1"
    assert CsvBundle(SECOND).version == "1.2"


def test_cells_of_several_values_references_and_metadata_are_as_the_api_has_them() -> None:
    one = by_id(SECOND, "classes")["class-1"]
    assert one["periods"] == ["1", "2"]
    assert [term["sourcedId"] for term in one["terms"]] == ["term-1", "term-2"]
    assert one["course"] == {"href": "/courses/course-1", "sourcedId": "course-1", "type": "course"}
    assert one["school"] == {"href": "/orgs/org-2", "sourcedId": "org-2", "type": "org"}
    assert one["metadata"] == {"rom": "blå"}
    assert [resource["sourcedId"] for resource in one["resources"]] == ["book-1"]
    assert by_id(SECOND, "courses")["course-1"]["subjectCodes"] == ["NOR0216", "NOR0217"]
    assert by_id(SECOND, "orgs")["org-2"]["parent"]["href"] == "/orgs/org-1"
    assert by_id(SECOND, "academicSessions")["term-1"]["parent"]["type"] == "academicSession"


def test_what_1p2_keeps_in_files_of_their_own_is_found_in_its_user() -> None:
    users = by_id(SECOND, "users")
    (role,) = users["user-1"]["roles"]
    assert (role["role"], role["org"]["sourcedId"], role["userProfile"]) == ("student", "org-2", "profile-1")
    (profile,) = users["user-1"]["userProfiles"]
    assert profile["profileId"] == "profile-1"
    assert profile["credentials"] == [{"type": "feide", "username": "zoe"}]
    assert users["user-1"]["userIds"][1] == {"type": "LDAP", "identifier": "17"}
    assert [role["role"] for role in users["user-2"]["roles"]] == ["teacher", "guardian"]
    assert "roles" not in users["user-3"], "an empty cell is no member"


def test_the_public_bundle_has_as_many_records_as_lines() -> None:
    folder = DATA / "oneroster-v1p1-csv"
    for name, size in {"users": 384, "enrollments": 1772, "orgs": 4}.items():
        assert len(CsvBundle(folder).collection(name)) == size
    user = next(iter(by_id(folder, "users").values()))
    assert user["orgs"][0]["type"] == "org"
    assert user["enabledUser"] == "true"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sourcedId,status\na,active,more\n", "line 2"),
        ("sourcedId,status\na\n", "line 2"),
        ('sourcedId,status\n"a"b,active\n', "line 2"),
        ("sourcedId,status\n,active\n", "without a sourcedId"),
    ],
)
def test_a_bundle_that_is_broken_says_where(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "users.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        Emulator(csv=tmp_path)


def test_records_are_served_byte_for_byte_and_subsets_are_derived(tmp_path: Path) -> None:
    lines = [
        b'{"sourcedId" : "b", "role":"student", "n":1.10}',
        b'{"sourcedId":"a","role":"teacher","n":1E400}',
    ]
    (tmp_path / "users.ndjson").write_bytes(b"\n".join(lines) + b"\n\n")
    (tmp_path / "orgs.ndjson.gz").write_bytes(gzip.compress(b'{"sourcedId":"o","type":"school"}\n'))
    (tmp_path / "README.md").write_text("no collection")
    school = School(Records(tmp_path))
    assert [row.text for row in school.rows("users") or ()] == lines[::-1]
    assert [row.id for row in school.rows("students") or ()] == ["b"]
    assert [row.id for row in school.rows("teachers") or ()] == ["a"]
    assert [row.id for row in school.rows("schools") or ()] == ["o"]
    assert school.rows("README") is None


@pytest.mark.parametrize("line", [b"[]", b"{", b'{"status":"active"}', b'"a"'])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "users.ndjson").write_bytes(b'{"sourcedId":"a"}\n' + line + b"\n")
    with pytest.raises(ValueError, match=r"users\.ndjson, line 2"):
        Records(tmp_path).collection("users")


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no"):
        Emulator(records=tmp_path)
    with pytest.raises(ValueError, match="holds no"):
        Emulator(csv=tmp_path)
    with pytest.raises(ValueError, match="no folder"):
        Emulator(csv=tmp_path / "none")


def test_folders_become_a_tenant_of_every_provider_that_can_carry_them() -> None:
    emulator = Emulator(tenants=0, records=GRAND_BEND, csv=SECOND)
    providers = {provider for provider, _ in emulator.tenants}
    assert "automatic-rostering" not in providers
    assert len(emulator.tenants) == 2 * len(providers) == 12
    ids = [tenant for _, tenant in emulator.tenants]
    assert len(ids) == len(set(ids))
    assert ("oneroster-v1p2", "grandbend") in emulator.tenants
