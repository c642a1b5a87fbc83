"""Every key of every table: what it becomes, and that no other is taken."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harvester.config import schema
from harvester.config.load import Config
from harvester.config.schema import NESTED, File, Table, keys_of
from harvester.errors import ConfigError
from harvester.guarding import Thresholds
from harvester.model import Limits, SecretRef
from harvester.providers.dialect import ClientCredentials, Environment, Paging, Resource
from tests.unit.config.test_load import read

WHOLE = """\
[run]
name = "every-key"
max_duration = "4h"
full_every = "3d"

[sink]
url = "./lake"
compression = "none"
part_size = 1048576
require = "repaired"

[state]
path = "./here"
token_cache = false

[guards]
enabled = true
vanished_share = 0.5
vanished_count = 7
school_share = 0.25
school_size = 5
ids_share = 0.75
deleted_share = 1.0
quarantined_share = 0.0
looked_up = 9

[guards.resources.people]
enabled = false
vanished_share = 0.1
vanished_count = 8
school_share = 0.2
school_size = 6
ids_share = 0.7
deleted_share = 0.9
quarantined_share = 0.3
looked_up = 0

[applications.own]
provider = "my-sis"
environment = "production"
client_id = "env:ID"
client_secret = "cmd:pass show sis"
access_token = "keyring:sis/token"
base_url = "https://other.example.org/api"
token_url = "http://127.0.0.1:9/token"
scope = "roster"
token_auth = "client_secret_post"
tenant_in = "header"
signature = "HMAC-SHA1"
sort = false
keyset = true
filter = "status='active'"
fields = ["id", "name"]
trust_env = true
ca_file = "authorities.pem"

[applications.own.limits]
rate = "600/min"
concurrency = 3
daily_requests = 1000
monthly_requests = 20000
page_size = 20

[[tenants]]
id = "one"
application = "own"
resources = ["absences"]
tenant_id = "t"
app_id = "a"
access_token = "env:TOKEN"
base_url = "https://one.example.org"
client_id = "one"
client_secret = "file:/run/one"
customer_id = "c"
user_id = "u"

[tenants_from]
path = "more.ndjson"

[providers.my-sis]
auth = "client_credentials"
base_url = "https://sis.example.org"
token_url = "https://sis.example.org/token"
scope = "all"
token_auth = "client_secret_post"
tenant_in = "body"
service_path = "/api/{app_id}"
tenant_keys = ["customer_id", "app_id"]
headers = { X-Customer = "{customer_id}" }
shared_host = false

[providers.my-sis.paging]
limit = "top"
offset = "skip"
page_size = 200
largest = 500
total_header = "X-Total"
date_filter = true
sort = { order = "id", by = "asc" }

[[providers.my-sis.resources]]
name = "people"
path = "/people"
key = ["uuid", "id"]
default = true
shape = "pages"

[[providers.my-sis.resources]]
name = "absences"
path = "/people/{parent}/absences"
key = "id"
default = false
shape = "object"
parent = "people"
parent_key = "person"
"""


def whole(tmp_path: Path) -> Config:
    (tmp_path / "more.ndjson").write_text('{"id":"two","application":"own","customer_id":"c","app_id":"a"}\n')
    return read(tmp_path, WHOLE)


def tables() -> list[tuple[type[Table], dict[str, Any]]]:
    """Every kind of table, and one as it stands in `WHOLE`."""
    file = tomllib.loads(WHOLE)
    own, sis = file["applications"]["own"], file["providers"]["my-sis"]
    absences = {**sis["resources"][0], **sis["resources"][1]}
    return [
        (File, file),
        (schema.RunTable, file["run"]),
        (schema.SinkTable, file["sink"]),
        (schema.StateTable, file["state"]),
        (schema.GuardsTable, file["guards"]),
        (schema.GuardTable, file["guards"]["resources"]["people"]),
        (schema.ApplicationTable, own),
        (schema.LimitsTable, own["limits"]),
        (schema.TenantTable, file["tenants"][0]),
        (schema.TenantsFromTable, file["tenants_from"]),
        (schema.ProviderTable, sis),
        (schema.PagingTable, sis["paging"]),
        (schema.ResourceTable, absences),
    ]


@pytest.mark.parametrize(("table", "stated"), tables(), ids=lambda value: getattr(value, "__name__", ""))
def test_the_whole_example_states_every_key_there_is(table: type[Table], stated: dict[str, Any]) -> None:
    assert set(stated) == set(keys_of(table))


def test_every_kind_of_table_is_looked_at_for_unknown_keys() -> None:
    looked_at = {File, *(child for children in NESTED.values() for child in children.values())}
    assert looked_at == {table for table, _ in tables()}
    assert all(
        not _holds_tables(field.type) or field.name in NESTED[table]
        for table in looked_at
        for field in msgspec.structs.fields(table)
    )


def _holds_tables(kind: object) -> bool:
    if isinstance(kind, type) and issubclass(kind, Table):
        return True
    return any(_holds_tables(part) for part in getattr(kind, "__args__", ()))


def test_run_sink_and_state_become_what_they_say(tmp_path: Path) -> None:
    config = whole(tmp_path)
    assert (config.run.name, config.name, config.run.max_duration) == ("every-key", "every-key", 4 * 3600.0)
    assert config.run.full_every == 3 * 86_400
    assert (config.sink.url, config.sink.compression) == ("./lake", "none")
    assert (config.sink.part_size, config.sink.require) == (1 << 20, "repaired")
    assert config.state.path == Path("here")  # from the working directory, like the sink
    assert config.state.token_cache is False


def test_guards_become_thresholds_and_a_resource_has_its_own(tmp_path: Path) -> None:
    guards = whole(tmp_path).guards
    assert guards.of("absences") == Thresholds(
        enabled=True,
        vanished_share=0.5,
        vanished_count=7,
        school_share=0.25,
        school_size=5,
        ids_share=0.75,
        deleted_share=1.0,
        quarantined_share=0.0,
        looked_up=9,
    )
    assert (guards.of("people").enabled, guards.of("people").vanished_count) == (False, 8)


def test_an_application_becomes_what_it_says(tmp_path: Path) -> None:
    own = whole(tmp_path).applications["own"]
    assert (own.name, own.provider, own.environment) == ("own", "my-sis", "production")
    assert own.credentials == {
        "client_id": SecretRef("env", "ID"),
        "client_secret": SecretRef("cmd", "pass show sis"),
        "access_token": SecretRef("keyring", "sis/token"),
    }
    assert (own.base_url, own.token_url) == ("https://other.example.org/api", "http://127.0.0.1:9/token")
    assert (own.scope, own.token_auth, own.tenant_in) == ("roster", "client_secret_post", "header")
    assert (own.signature, own.sort, own.filter) == ("HMAC-SHA1", False, "status='active'")
    assert (own.fields, own.trust_env) == (("id", "name"), True)
    assert own.limits == Limits(10.0, 3, 1000, 20000, 20)


def test_an_authoritys_file_is_sought_beside_the_configuration(tmp_path: Path) -> None:
    assert whole(tmp_path).applications["own"].ca_file == str(tmp_path / "authorities.pem")
    absolute = read(tmp_path, WHOLE.replace("authorities.pem", "/etc/ssl/x.pem"))
    assert absolute.applications["own"].ca_file == "/etc/ssl/x.pem"


def test_a_tenant_becomes_what_it_says(tmp_path: Path) -> None:
    one, two = whole(tmp_path).tenants
    assert (one.id, one.application, one.resources) == ("one", "own", ("absences",))
    assert one.keys == {"tenant_id": "t", "app_id": "a", "customer_id": "c", "user_id": "u"}
    assert one.base_url == "https://one.example.org"
    assert one.credentials == {
        "access_token": SecretRef("env", "TOKEN"),
        "client_id": SecretRef("literal", "one"),
        "client_secret": SecretRef("file", "/run/one"),
    }
    assert (two.id, two.resources, two.base_url, two.credentials) == ("two", (), None, {})


def test_a_declared_provider_becomes_what_it_says(tmp_path: Path) -> None:
    sis = whole(tmp_path).providers["my-sis"]
    assert sis.auth == ClientCredentials(method="client_secret_post", tenant_in="body")
    assert sis.environments == {
        "production": Environment(
            base_url="https://sis.example.org", token_url="https://sis.example.org/token", scope="all"
        )
    }
    assert sis.paging == Paging(
        limit="top",
        offset="skip",
        page_size=200,
        largest=500,
        total_header="X-Total",
        date_filter=True,
        sort={"order": "id", "by": "asc"},
        order="id asc",
    )
    assert (sis.service_path, sis.tenant_keys) == ("/api/{app_id}", ("customer_id", "app_id"))
    assert (dict(sis.headers), sis.shared_host) == ({"X-Customer": "{customer_id}"}, False)
    assert sis.resources == (
        Resource(name="people", path="/people", key=("uuid", "id")),
        Resource(
            name="absences",
            path="/people/{parent}/absences",
            key=("id",),
            default=False,
            shape="object",
            parent="people",
            parent_key="person",
        ),
    )


def test_what_is_left_out_is_as_the_documents_say(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        '[sink]\nurl = "x"\n[applications.a]\nprovider = "flyt-oneroster"\n'
        'client_id = "env:I"\nclient_secret = "env:S"\n',
    )
    assert (config.run.name, config.run.max_duration, config.run.full_every) == ("harvest", None, 7 * 86_400)
    assert (config.sink.compression, config.sink.part_size) == ("gzip", 256 * 2**20)
    assert config.sink.require == "probable"
    assert (config.state.path, config.state.token_cache) == (Path("state"), True)
    application = config.applications["a"]
    assert application.environment == "production"
    assert application.limits == Limits()
    assert (application.sort, application.trust_env, application.ca_file) == (None, False, None)
    assert (config.tenants, config.notices) == ((), ())


UNKNOWN = [
    ("[run]", "[sinks]", "", "sinks", 'Did you mean "sink"?'),
    ("[run]", "maximum_duration = 5", "run.", "maximum_duration", 'Did you mean "max_duration"?'),
    ("[sink]", "compress = 1", "sink.", "compress", 'Did you mean "compression"?'),
    ("[state]", 'paths = "x"', "state.", "paths", 'Did you mean "path"?'),
    ("[applications.own]", 'secret = "x"', "applications.own.", "secret", 'Did you mean "client_secret"?'),
    (
        "[applications.own.limits]",
        "per_day = 1",
        "applications.own.limits.",
        "per_day",
        "There are concurrency, daily_requests, monthly_requests, page_size, rate.",
    ),
    ("[[tenants]]", 'resource = "x"', "tenants[0].", "resource", 'Did you mean "resources"?'),
    ("[tenants_from]", 'file = "x"', "tenants_from.", "file", "There are path."),
    ("[providers.my-sis]", 'header = "x"', "providers.my-sis.", "header", 'Did you mean "headers"?'),
    (
        "[providers.my-sis.paging]",
        "size = 5",
        "providers.my-sis.paging.",
        "size",
        'Did you mean "page_size"?',
    ),
    (
        "[[providers.my-sis.resources]]",
        'parents = "x"',
        "providers.my-sis.resources[0].",
        "parents",
        'Did you mean "parent"?',
    ),
]


@pytest.mark.parametrize(("head", "line", "table", "key", "advice"), UNKNOWN, ids=str)
def test_an_unknown_key_is_told_with_its_path_its_line_and_the_nearest_known(
    tmp_path: Path, head: str, line: str, table: str, key: str, advice: str
) -> None:
    text = WHOLE.replace(head + "\n", f"{line}\n{head}\n" if line[0] == "[" else f"{head}\n{line}\n", 1)
    number = text.split("\n").index(line) + 1
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.where == f"nightly.toml, line {number}, {table}{key}"
    assert caught.value.what == f'unknown key "{key}"'
    assert caught.value.advice.startswith(advice)


@pytest.mark.parametrize("old", [line for line in WHOLE.split("\n") if " = " in line])
def test_a_value_of_another_type_is_refused_in_its_line(tmp_path: Path, old: str) -> None:
    key = old.partition(" = ")[0]
    number = WHOLE.split("\n").index(old) + 1
    text = WHOLE.replace(f"\n{old}\n", f"\n{key} = 1979-05-27\n", 1)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert f"line {number}," in caught.value.where, str(caught.value)
    assert key in caught.value.where


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[run]", "run = 5\n[runn]"),
        ("[[tenants]]", "[tenants]"),
        ("[applications.own.limits]", "[[applications.own.limits]]"),
        ("[[providers.my-sis.resources]]", "[providers.my-sis.resources]"),
        ("[tenants_from]", "[[tenants_from]]"),
        ("concurrency = 3", "concurrency = 3.5"),
        ("concurrency = 3", "concurrency = true"),
        ("concurrency = 3", "concurrency = -3"),
        ("page_size = 20\n", "page_size = 99999999999999999999999999\n"),
        ('key = "id"', "key = []"),
        ('key = "id"', 'key = ""'),
        ('resources = ["absences"]', 'resources = "absences"'),
        ('fields = ["id", "name"]', "fields = [5]"),
        ('auth = "client_credentials"', 'auth = "basic"'),
        ('tenant_keys = ["customer_id", "app_id"]', 'tenant_keys = ["customer"]'),
    ],
)
def test_a_table_or_value_of_the_wrong_shape_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigError):
        read(tmp_path, WHOLE.replace(old, new, 1))
