"""The main job, end to end: what lies in the lake is what the providers hold, record for record."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harvester.emulator.server import ALL, GRAND_BEND, Emulator
from harvester.providers.pifu_json import to_xml
from tests.harvesting import Lake, configure, run

pytestmark = pytest.mark.anyio

ONEROSTER = ("flyt-oneroster", "classlink-proxy", "classlink-direct", "oneroster-v1p1", "oneroster-v1p2")
CSV = Path(__file__).parents[1] / "data" / "oneroster-v1p1-csv"
GRAND_BEND_SIZES = {
    "orgs": 4,
    "academicSessions": 7,
    "courses": 84,
    "classes": 532,
    "demographics": 960,
    "users": 2888,
    "enrollments": 8208,
}


async def test_synthetic_rosters_of_all_providers_land_byte_for_byte(tmp_path: Path) -> None:
    async with Emulator(tenants=2, rows=230) as emulator:
        config = configure(emulator, tmp_path)
        manifest = await run(config)
        assert manifest["exit_code"] == 0, manifest["results"]
        assert manifest["certificates"] == {"certified": manifest["pulls"]}
        lake = Lake(tmp_path / "lake")
        for provider, tenant in emulator.tenants:
            for resource in config.providers[provider].defaults if provider in ONEROSTER else ():
                assert lake.lines(provider, resource, tenant) == emulator.records(provider, tenant, resource)


async def test_every_collection_of_both_versions_can_be_pulled_nested_ones_included(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=60, providers=("oneroster-v1p1", "oneroster-v1p2")) as emulator:
        config = configure(emulator, tmp_path)
        for provider, tenant in emulator.tenants:
            names = [resource.name for resource in config.providers[provider].resources]
            manifest = await run(config, tenant=tenant, resources=names)
            assert manifest["exit_code"] == 0, [r for r in manifest["results"] if r["state"] != "committed"]
            assert manifest["pulls"] == len(names)
        lake = Lake(tmp_path / "lake")
        school = emulator.tenant("oneroster-v1p2", "oneroster-v1p2-1").school
        lines = [
            json.loads(line) for line in lake.lines("oneroster-v1p2", "classes_students", "oneroster-v1p2-1")
        ]
        wanted = [
            (row.id, student.id)
            for row in school.rows("classes") or ()
            for student in school.nested("classes", row.id, "students") or ()
        ]
        assert [(line["classSourcedId"], line["sourcedId"]) for line in lines] == wanted


async def test_grand_bend_lands_byte_for_byte_through_every_provider_that_can_carry_it(
    tmp_path: Path,
) -> None:
    async with Emulator(tenants=0, records=GRAND_BEND) as emulator:
        config = configure(emulator, tmp_path)
        manifest = await run(config, resources=[*ALL, "persons", "groups", "memberships"])
        assert manifest["exit_code"] == 0, manifest["results"]
        lake = Lake(tmp_path / "lake")
        for provider, tenant in emulator.tenants:
            for resource, size in GRAND_BEND_SIZES.items() if provider in ONEROSTER else ():
                lines = lake.lines(provider, resource, tenant)
                assert len(lines) == size
                assert lines == emulator.records(provider, tenant, resource)
                assert lake.manifest(provider, resource, tenant)["certificate"]["verdict"] == "certified"
        assert len(lake.lines("flyt-skole", "persons", "grandbend.flyt-skole")) == GRAND_BEND_SIZES["users"]


async def test_a_csv_bundle_lands_record_for_record_through_every_oneroster_provider(tmp_path: Path) -> None:
    async with Emulator(tenants=0, csv=CSV) as emulator:
        config = configure(emulator, tmp_path)
        manifest = await run(config, resources=ALL)
        assert manifest["exit_code"] == 0, manifest["results"]
        lake = Lake(tmp_path / "lake")
        for provider, tenant in emulator.tenants:
            for resource in ALL if provider in ONEROSTER else ():
                lines = lake.lines(provider, resource, tenant)
                assert len(lines) == len((CSV / f"{resource}.csv").read_text().splitlines()) - 1
                assert lines == emulator.records(provider, tenant, resource)


async def test_a_pifu_document_lands_with_nothing_lost(tmp_path: Path) -> None:
    async with Emulator(tenants=1, rows=120, providers=("flyt-skole",)) as emulator:
        manifest = await run(configure(emulator, tmp_path))
        assert manifest["exit_code"] == 0
        assert manifest["requests"] == 1, "one document for three resources is one request"
        lake, tenant = Lake(tmp_path / "lake"), "flyt-skole-1"
        root = ElementTree.fromstring(emulator.document(tenant))
        for resource, name in (("persons", "person"), ("groups", "group"), ("memberships", "membership")):
            lines = lake.lines("flyt-skole", resource, tenant)
            sent = [_infoset(element) for element in root if _local(element.tag) == name]
            back = [_infoset(ElementTree.fromstring(to_xml(line, resource))) for line in lines]
            if resource == "memberships":
                sent = [one for element in sent for one in _one_member_each(element)]
            assert back == sent


async def test_jobs_requests_and_results_land_and_running_jobs_are_left_for_the_next_night(
    tmp_path: Path,
) -> None:
    async with Emulator(tenants=1, rows=400, providers=("automatic-rostering",)) as emulator:
        manifest = await run(configure(emulator, tmp_path))
        assert manifest["exit_code"] == 0
        lake, tenant = Lake(tmp_path / "lake"), "automatic-rostering-1"
        jobs = emulator.tenant("automatic-rostering", tenant).jobs
        assert lake.lines("automatic-rostering", "jobs", tenant) == list(jobs.records.values())
        requests = lake.lines("automatic-rostering", "request", tenant)
        assert requests == [b'{"jobId":"%s",' % job.encode() + jobs.request(job)[1:] for job in jobs.records]
        stopped = [job for job in jobs.records if jobs.state(job) == "stopped"]
        results = lake.lines("automatic-rostering", "result", tenant)
        assert [json.loads(line)["jobId"] for line in results] == stopped
        assert all(
            line.endswith(jobs.result(job).split(b'"score"')[1])
            for line, job in zip(results, stopped, strict=True)
        )
        account = lake.manifest("automatic-rostering", "result", tenant)
        assert account["skipped"] == len(jobs.records) - len(stopped)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _infoset(element: ElementTree.Element) -> tuple[object, ...]:
    """Name, attributes, text and children, without white space between elements."""
    text = element.text or ""
    return (
        _local(element.tag),
        tuple(sorted(element.attrib.items())),
        text if len(element) == 0 else text.strip(),
        tuple(_infoset(child) for child in element),
    )


def _one_member_each(membership: tuple[object, ...]) -> list[tuple[object, ...]]:
    name, attributes, text, children = membership
    assert isinstance(children, tuple)
    shared = tuple(child for child in children if child[0] != "member")
    return [(name, attributes, text, (*shared, child)) for child in children if child[0] == "member"]
