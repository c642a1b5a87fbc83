"""OneRoster's collections, as the two specifications have them."""

from __future__ import annotations

import pytest

from harvester.model import Application, Tenant
from harvester.providers.address import base_url
from harvester.providers.dialect import Provider
from harvester.providers.oneroster import (
    DEFAULTS,
    GRADEBOOK,
    ONEROSTER_V1P1,
    ONEROSTER_V1P2,
    RESOURCES,
    ROSTERING,
    V1P1,
)
from harvester.providers.registry import PROVIDERS

ROSTER = {"orgs", "schools", "academicSessions", "terms", "gradingPeriods", "courses", "classes", "users"} | {
    "students",
    "teachers",
    "enrollments",
    "demographics",
}
BOTH = pytest.mark.parametrize("provider", [ONEROSTER_V1P1, ONEROSTER_V1P2], ids=lambda p: p.name)


def flat(provider: Provider) -> set[str]:
    return {resource.name for resource in provider.resources if resource.parent is None}


def address(provider: Provider, name: str, base: str = "https://sis.example.org") -> str:
    resource = provider.resource(name)
    assert resource is not None
    application = Application(name="a", provider=provider.name, base_url=base)
    return base_url(provider, application, Tenant("t", "a"), resource) + resource.path


def test_the_collections_are_those_of_the_specifications() -> None:
    gradebook = {"categories", "lineItems", "results"}
    assert flat(ONEROSTER_V1P1) == ROSTER | gradebook | {"resources"}
    assert flat(ONEROSTER_V1P2) == ROSTER | gradebook | {"resources"} | {
        "scoreScales",
        "assessmentLineItems",
        "assessmentResults",
    }


def test_the_categories_of_a_class_came_with_1_2() -> None:
    assert ONEROSTER_V1P2.resource("classes_categories") is not None
    assert ONEROSTER_V1P1.resource("classes_categories") is None
    assert all(ONEROSTER_V1P1.resource(f"classes_{child}") for child in ("lineItems", "results", "resources"))


@BOTH
def test_by_default_the_roster_is_pulled_once_and_nothing_sensitive(provider: Provider) -> None:
    assert set(provider.defaults) == DEFAULTS
    assert not DEFAULTS & {"demographics", "schools", "students", "teachers", "terms", "gradingPeriods"}
    assert provider.defaults[:2] == ("orgs", "academicSessions")


@BOTH
def test_records_are_known_by_their_sourced_id(provider: Provider) -> None:
    assert {resource.key for resource in provider.resources} == {("sourcedId",)}


@BOTH
@pytest.mark.parametrize(
    ("name", "path", "parent", "member"),
    [
        ("classes_students", "/classes/{parent}/students", "classes", "classSourcedId"),
        ("classes_teachers", "/classes/{parent}/teachers", "classes", "classSourcedId"),
        ("classes_results", "/classes/{parent}/results", "classes", "classSourcedId"),
        ("classes_resources", "/classes/{parent}/resources", "classes", "classSourcedId"),
        ("courses_classes", "/courses/{parent}/classes", "courses", "courseSourcedId"),
        ("schools_enrollments", "/schools/{parent}/enrollments", "schools", "schoolSourcedId"),
        ("terms_gradingPeriods", "/terms/{parent}/gradingPeriods", "terms", "termSourcedId"),
        ("users_classes", "/users/{parent}/classes", "users", "userSourcedId"),
    ],
)
def test_a_nested_collection_is_a_resource_whose_lines_name_their_parent(
    provider: Provider, name: str, path: str, parent: str, member: str
) -> None:
    nested = provider.resource(name)
    assert nested is not None
    assert (nested.path, nested.parent, nested.parent_key) == (path, parent, member)
    assert not nested.default


@BOTH
def test_every_nested_collection_is_called_by_its_parent_and_its_own_name(provider: Provider) -> None:
    for resource in provider.resources:
        if resource.parent is not None:
            assert resource.name == f"{resource.parent}_{resource.path.rpartition('/')[2]}"


def test_version_1_1_is_one_service() -> None:
    for resource in ONEROSTER_V1P1.resources:
        assert address(ONEROSTER_V1P1, resource.name) == f"https://sis.example.org{V1P1}{resource.path}"


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("users", ROSTERING),
        ("demographics", ROSTERING),
        ("results", GRADEBOOK),
        ("scoreScales", GRADEBOOK),
        ("classes_lineItems", GRADEBOOK),
        ("resources", RESOURCES),
        ("users_resources", RESOURCES),
    ],
)
def test_version_1_2_is_three_services_beside_each_other(name: str, service: str) -> None:
    resource = ONEROSTER_V1P2.resource(name)
    assert resource is not None
    expected = f"https://sis.example.org{service}{resource.path}"
    assert address(ONEROSTER_V1P2, name) == expected
    assert address(ONEROSTER_V1P2, name, f"https://sis.example.org{ROSTERING}/") == expected


def test_flyt_and_classlink_serve_their_part_of_the_specifications() -> None:
    flyt = PROVIDERS["flyt-oneroster"]
    assert {resource.service for resource in flyt.resources} == {ROSTERING}
    assert flat(flyt) == ROSTER
    for name in ("classlink-proxy", "classlink-direct"):
        assert PROVIDERS[name].resources == ONEROSTER_V1P1.resources
