"""Plans: what is selected, in which order, at what cost."""

from __future__ import annotations

import pytest

from harvester.errors import UsageError
from harvester.model import Application, Limits, Pull, Tenant
from harvester.plan import Selection, estimate, parse_shard, plan, select
from harvester.providers.registry import PROVIDERS

APPLICATIONS = {
    "sis": Application("sis", "oneroster-v1p2", limits=Limits(rate=2.0, page_size=100)),
    "skole": Application("skole", "flyt-skole"),
}
TENANTS = [Tenant(f"t{i}", "sis") for i in range(50)] + [Tenant("by", "skole")]


def chosen(selection: Selection) -> list[Pull]:
    return select(TENANTS, APPLICATIONS, PROVIDERS, selection)


def test_tenants_are_selected_by_globs_and_resources_by_name() -> None:
    pulls = chosen(Selection(("t1*",), ("users",)))
    assert {pull.tenant for pull in pulls} == {"t1", *(f"t{i}" for i in range(10, 20))}
    assert {pull.resource for pull in pulls} == {"users"}


def test_shards_cover_every_tenant_exactly_once() -> None:
    shards = [{pull.tenant for pull in chosen(Selection(shard=(k, 4)))} for k in range(1, 5)]
    assert sum(map(len, shards)) == len(TENANTS)
    assert set().union(*shards) == {tenant.id for tenant in TENANTS}


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "x", "1", "1/0", "-1/2", "1/2/3", "²/4", "1/4\n", "1/" + "9" * 5000]
)
def test_a_shard_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_shard(text)


def test_an_unknown_resource_is_a_usage_error_that_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="enrollments"):
        chosen(Selection(resources=("userz",)))


def test_the_longest_comes_first_and_what_has_no_size_before_all() -> None:
    sizes = {"t1": 10, "t2": 1000, "t4": 100}
    pulls = chosen(Selection(("t1", "t2", "t3", "t4"), ("users",)))
    planned = plan(pulls, PROVIDERS, lambda pull: sizes.get(pull.tenant))
    assert [job.pulls[0].tenant for job in planned.jobs["sis"]] == ["t3", "t2", "t4", "t1"]


def test_what_comes_in_one_document_is_one_job() -> None:
    (job,) = plan(chosen(Selection(("by",))), PROVIDERS, lambda _pull: None).jobs["skole"]
    assert [pull.resource for pull in job.pulls] == ["persons", "groups", "memberships"]


def test_an_estimate_counts_pages_with_their_overlap_and_minutes_by_the_rate() -> None:
    planned = plan(chosen(Selection(("t1",), ("users",))), PROVIDERS, lambda _pull: 1080)
    (cost,) = estimate(planned, APPLICATIONS, PROVIDERS)
    assert cost.pages == 11
    assert cost.requests == 12
    assert cost.minutes == pytest.approx(12 / 2 / 60)
