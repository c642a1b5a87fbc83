"""Providers declared in a configuration: what types can't tell is told before the night."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harvester.config.schema import NESTED, File, keys_of
from harvester.errors import ConfigError
from harvester.providers.dialect import ClientCredentials, OAuth1, StaticBearer
from tests.unit.config.test_load import GOOD, ROOT, read

OWN = """\
[providers.my-sis]
base_url = "https://sis.example.org"
service_path = "/v1/{app_id}"
tenant_keys = ["app_id", "customer_id"]
headers = { X-Customer = "no. {customer_id}, {{raw}}" }
[providers.my-sis.paging]
limit = "top"
[[providers.my-sis.resources]]
name = "people"
path = "/people/all;v=1"
[[providers.my-sis.resources]]
name = "absences"
path = "/people/{parent}/absences"
parent = "people"
"""


def test_the_example_loads(tmp_path: Path) -> None:
    sis = read(tmp_path, GOOD + OWN).providers["my-sis"]
    assert sis.resources[1].parent_key == "people_id"
    assert sis.headers["X-Customer"].format_map({"customer_id": "7"}) == "no. 7, {raw}"


@pytest.mark.parametrize(
    ("said", "auth"),
    [
        ("static_bearer", StaticBearer()),
        ("oauth1", OAuth1()),
        ("client_credentials", ClientCredentials()),
    ],
)
def test_each_way_to_prove_who_we_are_may_be_declared(tmp_path: Path, said: str, auth: object) -> None:
    text = OWN.replace("service_path", f'auth = "{said}"\nservice_path')
    assert read(tmp_path, GOOD + text).providers["my-sis"].auth == auth


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        ('"/v1/{app_id}"', '"/v1/{user_id}"', "service_path", "{user_id} is none of tenant_keys"),
        ('"/v1/{app_id}"', '"/v1/{app_id.__class__}"', "service_path", "none of tenant_keys"),
        ('"/v1/{app_id}"', '"/v1/{app_id!r}"', "service_path", "none of tenant_keys"),
        ('"/v1/{app_id}"', '"/v1/{}"', "service_path", "none of tenant_keys"),
        ('"/v1/{app_id}"', '"/v1/{"', "service_path", "brace"),
        ('"/v1/{app_id}"', '"v1"', "service_path", "begins with /"),
        ('"/v1/{app_id}"', '"/v1?x=1"', "service_path", "no query"),
        ("{customer_id}", "{nobody}", "headers.X-Customer", "{nobody} is none of tenant_keys"),
        ("{customer_id}", "{", "headers.X-Customer", "brace"),
        ("no. ", "n\\r\\nX: ", "headers.X-Customer", "printable ASCII"),
        ("no. ", "nø ", "headers.X-Customer", "printable ASCII"),
        ("X-Customer", "Authorization", "headers.Authorization", "can't be set"),
        ("X-Customer", '"X Y"', 'headers."X Y"', "can't be set"),
        ('limit = "top"', 'limit = "offset"', "paging.offset", "same name"),
        ('name = "absences"', 'name = "people"', "resources[1].name", "there twice"),
        ('name = "absences"', 'name = "../x"', "resources[1].name", "of the form"),
        ('"/people/all;v=1"', '"people"', "resources[0].path", "begins with /"),
        ('"/people/all;v=1"', '"/people?x=1"', "resources[0].path", "no query"),
        ('"/people/all;v=1"', '"/a b"', "resources[0].path", "not a path"),
        ('"/people/all;v=1"', '"/{app_id}"', "resources[0].path", "no hole but {parent}"),
        ('"/people/all;v=1"', '"/{parent}"', "resources[0].path", "without a parent"),
        ("{parent}/", "", "resources[1].path", "is missing"),
        ('parent = "people"', 'parent = "persons"', "resources[1].parent", "unknown parent"),
        ('parent = "people"', 'parent = "absences"', "resources[1].parent", "no collection of its own"),
        ('all;v=1"', 'all"\nkey = ""', "resources[0].key", "identifies a record"),
        ('all;v=1"', 'all"\nkey = ["id", ""]', "resources[0].key", "identifies a record"),
        ('all;v=1"', 'all"\nshape = "object"', "resources[0].shape", "for each parent"),
        ('all;v=1"', 'all"\nshape = "pifu"', "resources[0].name", "persons, groups, memberships"),
        ('"https://sis.example.org"', '"http://sis.example.org"', "base_url", "in clear"),
    ],
)
def test_a_mistake_in_a_declaration_is_told_with_its_path(
    tmp_path: Path, old: str, new: str, where: str, said: str
) -> None:
    assert old in OWN
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD + OWN.replace(old, new, 1))
    assert caught.value.where.endswith(f"providers.my-sis.{where}")
    assert said in str(caught.value)
    assert ", line " in caught.value.where


def test_a_provider_without_resources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without resources"):
        read(tmp_path, f"{GOOD}[providers.p]\nresources = []\n")


@pytest.mark.parametrize("name", ["../../x", "My", "1p", "a b", "a_b", "x" * 65, ""])
def test_a_providers_name_is_fit_for_a_folders(tmp_path: Path, name: str) -> None:
    text = OWN.replace("providers.my-sis", f'providers."{name}"')
    with pytest.raises(ConfigError, match="not a provider's name") as caught:
        read(tmp_path, GOOD + text)
    assert "line 26" in caught.value.where


def test_an_export_may_be_declared_for_the_three_resources_that_it_holds(tmp_path: Path) -> None:
    text = "[providers.export]\n" + "".join(
        f'[[providers.export.resources]]\nname = "{name}"\npath = "/pifu"\nshape = "pifu"\n'
        for name in ("persons", "groups", "memberships")
    )
    assert len(read(tmp_path, GOOD + text).providers["export"].resources) == 3


def test_the_example_of_the_documents_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    config = read(tmp_path, f'[sink]\nurl = "x"\n{example}')
    assert config.providers["my-sis"].paging.order == "id"
    assert config.tenants[0].id == "our-town"


def test_the_documents_explain_every_key() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    tables = {File, *(child for children in NESTED.values() for child in children.values())}
    explained = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| (.*?) \|", text, re.MULTILINE))))
    headed = set(re.findall(r"\[\[?([a-z_]+)", text))
    for table in tables:
        assert set(keys_of(table)) <= explained | headed, table
