"""Synthetic rosters are repeatable, hang together, and hold what careless clients break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harvester.emulator.roster import ODD_IDS, ODDITIES, Roster, Version
from harvester.emulator.school import School

VERSIONS: tuple[Version, ...] = ("v1p1", "v1p2")
COLLECTIONS = {
    "org": "orgs",
    "academicSession": "academicSessions",
    "course": "courses",
    "class": "classes",
    "user": "users",
    "category": "categories",
    "lineItem": "lineItems",
    "resource": "resources",
    "assessmentLineItem": "assessmentLineItems",
}


def made(version: Version = "v1p2", *, tenant: str = "bergtatt-1", seed: int = 1, rows: int = 130) -> Roster:
    return Roster(tenant, seed, rows, version)


def bytes_of(roster: Roster) -> dict[str, list[bytes]]:
    return {name: [row.text for row in roster.collection(name)] for name in roster.names}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(version: Version) -> None:
    assert bytes_of(made(version)) == bytes_of(made(version))
    assert bytes_of(made(version)) != bytes_of(made(version, seed=2))
    assert bytes_of(made(version)) != bytes_of(made(version, tenant="bergtatt-3"))


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_are_as_many_users_as_asked_for_in_order_of_id(version: Version) -> None:
    roster = made(version)
    assert len(roster.collection("users")) == 130
    for name in roster.names:
        ids = [row.id for row in roster.collection(name)]
        assert ids == sorted(set(ids))
        assert [json.loads(row.text)["sourcedId"] for row in roster.collection(name)] == ids


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tenant", ["bergtatt-1", "bergtatt-2"])
def test_every_reference_leads_to_a_record(version: Version, tenant: str) -> None:
    roster = made(version, tenant=tenant)
    ids = {name: {row.id for row in roster.collection(name)} for name in roster.names}
    for name in roster.names:
        for row in roster.collection(name):
            for reference in references(row.value):
                assert reference["sourcedId"] in ids[COLLECTIONS[reference["type"]]]


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "href" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_users_are_as_their_version_has_them() -> None:
    one, two = (made(version).collection("users")[0].value for version in VERSIONS)
    assert {"role", "orgs", "userIds"} <= one.keys()
    assert {"roles", "userProfiles", "primaryOrg", "userMasterIdentifier"} <= two.keys()
    assert one["enabledUser"] in ("true", "false")
    assert any(row.value["userProfiles"] for row in made().collection("users"))


def test_oddities_stand_in_the_bytes_and_are_json_all_the_same() -> None:
    texts = b"".join(row.text for row in made(rows=300).collection("users"))
    for oddity in ODDITIES:
        assert oddity in texts
    assert all(json.loads(row.text) for row in made(rows=300).collection("users"))


def test_ids_that_must_be_encoded_are_at_every_second_tenant_alone() -> None:
    odd = {row.id for row in made(tenant="bergtatt-2").collection("users")}
    assert set(ODD_IDS.values()) <= odd
    enrolled = School(made(tenant="bergtatt-2")).enrolled("user", ODD_IDS[5])
    assert enrolled, "references follow the odd id"
    assert not set(ODD_IDS.values()) & {row.id for row in made().collection("users")}


def test_names_hold_what_is_seldom_thought_of() -> None:
    names = {row.value["familyName"] + row.value["givenName"] for row in made(rows=3000).collection("users")}
    together = "".join(names)
    for odd in ("æ", "ø", "Å", "O'Brien", "-", '"', "\u0301", "\t", "\\"):
        assert odd in together


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_tiny_rosters_are_rosters(rows: int) -> None:
    for version in VERSIONS:
        roster = made(version, rows=rows)
        assert len(roster.collection("users")) == rows
        assert roster.collection("orgs")
