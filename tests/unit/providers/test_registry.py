"""What every built-in provider declares holds together, and is what the vendors' pages say."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import harvester.providers
from harvester.auth.oauth1 import escape
from harvester.config.schema import PROVIDER, RESOURCE
from harvester.config.urls import flaw_of_url
from harvester.providers.dialect import ClientCredentials, OAuth1, Provider, StaticBearer
from harvester.providers.registry import PROVIDERS

NAMES = [
    "automatic-rostering",
    "classlink-direct",
    "classlink-proxy",
    "flyt-oneroster",
    "flyt-skole",
    "oneroster-v1p1",
    "oneroster-v1p2",
]
each = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)


def test_all_providers_of_the_design_are_there() -> None:
    assert set(NAMES) <= set(PROVIDERS)


@each
def test_a_provider_is_found_by_its_own_name_which_a_folder_may_have(provider: Provider) -> None:
    assert PROVIDERS[provider.name] is provider
    assert re.match(PROVIDER, provider.name)
    assert provider.title


@each
def test_resources_have_names_that_folders_may_have_and_only_once(provider: Provider) -> None:
    names = [resource.name for resource in provider.resources]
    assert len(set(names)) == len(names)
    assert all(re.match(RESOURCE, name) for name in names)
    assert all(provider.resource(resource.name) is resource for resource in provider.resources)
    assert provider.resource("nonsense") is None


@each
def test_every_record_has_a_member_that_identifies_it(provider: Provider) -> None:
    assert all(resource.key and all(resource.key) for resource in provider.resources)


@each
def test_something_is_pulled_by_default_but_no_sensitive_data(provider: Provider) -> None:
    assert provider.defaults
    assert "demographics" not in provider.defaults


@each
def test_paths_are_fit_for_the_wire_as_they_stand(provider: Provider) -> None:
    for resource in provider.resources:
        path = resource.path.replace("{parent}", "x")
        assert path.startswith("/")
        assert not path.endswith("/")
        assert escape(path).replace("%2F", "/") == path


@each
def test_a_child_names_a_parent_of_its_own_provider_that_is_a_collection(provider: Provider) -> None:
    for resource in provider.resources:
        assert ("{parent}" in resource.path) == (resource.parent is not None)
        if resource.parent is None:
            assert (resource.parent_key, resource.parent_when) == ("", None)
            continue
        parent = provider.resource(resource.parent)
        assert parent is not None
        assert (parent.parent, parent.shape) == (None, "pages")
        assert resource.parent_key


@each
def test_what_is_filled_in_is_a_key_that_every_tenant_must_have(provider: Provider) -> None:
    for template in (provider.service_path, *provider.headers.values()):
        holes = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
        assert holes <= set(provider.tenant_keys)


@each
def test_published_addresses_are_https(provider: Provider) -> None:
    for environment in provider.environments.values():
        for url in (environment.base_url, environment.token_url):
            assert url is None or (url.startswith("https://") and flaw_of_url(url) is None)
    assert "production" in provider.environments


@each
def test_pages_are_asked_for_within_what_the_provider_serves(provider: Provider) -> None:
    paging = provider.paging
    assert paging.limit != paging.offset
    assert 0 < paging.page_size <= (paging.largest or paging.page_size)
    assert bool(paging.sort) == bool(paging.order)


def test_a_provider_is_one_short_file() -> None:
    folder = Path(harvester.providers.__file__).parent
    for name in (
        "automatic_rostering",
        "classlink_direct",
        "classlink_proxy",
        "flyt_oneroster",
        "flyt_skole",
    ):
        assert len((folder / f"{name}.py").read_text().splitlines()) < 80


def test_each_proves_who_we_are_as_its_vendor_says() -> None:
    assert isinstance(PROVIDERS["classlink-proxy"].auth, StaticBearer)
    assert PROVIDERS["classlink-direct"].auth == OAuth1(signature="HMAC-SHA256")
    for name in ("flyt-oneroster", "flyt-skole"):
        auth = PROVIDERS[name].auth
        assert auth == ClientCredentials(method="client_secret_post", tenant_in="body")
        assert auth.tenant_param == "tenant_ID"
    for name in ("oneroster-v1p1", "oneroster-v1p2"):
        assert PROVIDERS[name].auth == ClientCredentials(method="client_secret_basic")


def test_flyt_has_three_environments_capitalised_windows_and_no_more_than_100_rows() -> None:
    flyt = PROVIDERS["flyt-oneroster"]
    assert list(flyt.environments) == ["test", "stage", "production"]
    assert (flyt.paging.limit, flyt.paging.offset, flyt.paging.largest) == ("Limit", "Offset", 100)
    assert flyt.paging.spellings == (("limit", "offset"),)
    assert flyt.tenant_keys == ()
    assert {environment.token_url for environment in flyt.environments.values()} == {
        "https://connect.visma.com/connect/token"
    }


def test_flyt_skole_has_a_token_for_each_customer_and_one_document_for_three_resources() -> None:
    skole = PROVIDERS["flyt-skole"]
    assert skole.tenant_keys == ("tenant_id",)
    assert {(resource.path, resource.shape) for resource in skole.resources} == {("/lms/pifu", "pifu")}
    assert skole.defaults == ("persons", "groups", "memberships")


def test_behind_classlink_stand_as_many_servers_as_districts() -> None:
    assert PROVIDERS["classlink-proxy"].shared_host is False
    assert PROVIDERS["classlink-direct"].shared_host is False
    assert PROVIDERS["flyt-oneroster"].shared_host is True


def test_results_are_pulled_of_stopped_jobs_only() -> None:
    shifts = PROVIDERS["automatic-rostering"]
    result, request = shifts.resource("result"), shifts.resource("request")
    assert result is not None
    assert request is not None
    assert result.parent_when == ("statusCode", ("stopped",))
    assert request.parent_when is None
    assert {result.parent_key, request.parent_key} == {"jobId"}
    assert shifts.environments["stage"].token_url != shifts.environments["production"].token_url


def test_the_example_of_the_documents_is_a_provider_in_one_short_file() -> None:
    text = (Path(__file__).parents[3] / "docs" / "providers.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "docs/providers.md", "exec"), names)
    provider = names["EXAMPLE_SIS"]
    assert isinstance(provider, Provider)
    assert provider.defaults == ("pupils",)
    assert len(example.splitlines()) < 80


@pytest.mark.parametrize("name", NAMES)
def test_the_documents_have_every_provider_and_every_resource(name: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "providers.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Za-z0-9-]+)`", text))
    assert name in named or f"-{name.rpartition('-')[2]}" in named
    for resource in PROVIDERS[name].resources:
        assert resource.path.rpartition("/")[2] in named if resource.parent else resource.name in named
