"""Configurations: what each key becomes, and what is said about each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.config.load import Config, load
from harvester.config.template import TEMPLATE
from harvester.errors import ConfigError
from harvester.model import Limits, SecretRef
from harvester.providers.address import base_url, headers, token_url

ROOT = Path(__file__).parents[3]
GOOD = """\
[run]
name = "nightly"
[sink]
url = "./lake"
compression = "zstd"
part_size = "64MB"
require = "certified"
[state]
path = "./state"
[applications.flyt]
provider = "flyt-oneroster"
environment = "production"
client_id = "env:ID"
client_secret = "file:/run/secret"
[applications.flyt.limits]
rate = "120/min"
concurrency = 32
daily_requests = 200000
monthly_requests = 5000000
page_size = 50
[[tenants]]
id = "bergen"
application = "flyt"
tenant_id = "aa750693"
resources = ["orgs", "users"]
"""


def read(tmp_path: Path, text: str, mode: int = 0o600) -> Config:
    path = tmp_path / "nightly.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return load(path)


def test_every_key_of_the_contract_becomes_what_it_says(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert (config.name, config.sink.compression, config.sink.part_size) == ("nightly", "zstd", 64_000_000)
    assert config.sink.require == "certified"
    application = config.applications["flyt"]
    assert application.limits == Limits(2.0, 32, 200000, 5000000, 50)
    assert application.credentials["client_secret"] == SecretRef("file", "/run/secret")
    (tenant,) = config.tenants
    assert (tenant.id, tenant.keys, tenant.resources) == (
        "bergen",
        {"tenant_id": "aa750693"},
        ("orgs", "users"),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('name = "nightly"', 'nmae = "nightly"', 2, 'Did you mean "name"?'),
        ("[sink]", "[snk]", 3, 'Did you mean "sink"?'),
        ('url = "./lake"', "", 3, '"url" is missing'),
        ('compression = "zstd"', 'compression = "lz4"', 5, "lz4"),
        ('part_size = "64MB"', 'part_size = "huge"', 6, "no size"),
        ('require = "certified"', 'require = "sure"', 7, "sure"),
        ('provider = "flyt-oneroster"', 'provider = "flyt-onerooster"', 11, 'Did you mean "flyt-oneroster"?'),
        ('environment = "production"', 'environment = "prod"', 12, 'Did you mean "production"?'),
        ('client_secret = "file:/run/secret"', 'client_secret = "hunter2"', 14, "env:NAME"),
        ('client_secret = "file:/run/secret"', 'client_secret = "vault:x"', 14, "env:NAME"),
        ('rate = "120/min"', 'rate = "fast"', 16, "no rate"),
        ('rate = "120/min"', 'rates = "120/min"', 16, 'Did you mean "rate"?'),
        ("concurrency = 32", "concurrency = 0", 17, "concurrency"),
        ("concurrency = 32", 'concurrency = "many"', 17, "concurrency"),
        ('id = "bergen"', 'id = "Bergen!"', 22, "id"),
        ('application = "flyt"', 'application = "flit"', 23, 'Did you mean "flyt"?'),
        ('tenant_id = "aa750693"', 'tenantid = "aa750693"', 24, 'Did you mean "tenant_id"?'),
        ('"orgs", "users"]', '"orgs", "userz"]', 25, 'Did you mean "users"?'),
        ("[run]", "[run", 1, "not TOML"),
        ('environment = "production"', 'base_url = "http://example.org"', 12, "in clear"),
        ('environment = "production"', 'base_url = "https://a:b@example.org"', 12, "host and path"),
        ('environment = "production"', 'base_url = "ftp://example.org"', 12, "not an address"),
        ('url = "./lake"', 'url = "s3://bucket/x"', 4, "not written to by this version"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_write(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    message = str(caught.value)
    assert said in message
    assert f"line {line}" in message, message
    assert "hunter2" not in message


def test_a_literal_secret_is_refused_where_others_can_read_it_and_noticed_otherwise(tmp_path: Path) -> None:
    literal = GOOD.replace("file:/run/secret", "literal:abc")
    with pytest.raises(ConfigError, match="chmod 600"):
        read(tmp_path, literal, 0o644)
    config = read(tmp_path, literal)
    assert "literal" in config.notices[0]
    assert "abc" not in repr(config)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "id,application,tenant_id,resources\nb1,flyt,x,orgs users\nb2,flyt,y,\n"),
        (
            "t.ndjson",
            '{"id":"b1","application":"flyt","tenant_id":"x","resources":["orgs","users"]}\n\n{"id":"b2","application":"flyt"}\n',
        ),
        (
            "t.toml",
            '[[tenants]]\nid="b1"\napplication="flyt"\nresources=["orgs","users"]\n[[tenants]]\nid="b2"\napplication="flyt"\n',
        ),
    ],
)
def test_tenants_come_from_a_list_beside_the_configuration(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    config = read(tmp_path, GOOD + f'[tenants_from]\npath = "{name}"\n')
    assert [(tenant.id, tenant.resources) for tenant in config.tenants] == [
        ("bergen", ("orgs", "users")),
        ("b1", ("orgs", "users")),
        ("b2", ()),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,application,tenantid\nb,flyt,x\n", 'Did you mean "tenant_id"?'),
        ("id,application\nb,flyt,x\n", "line 2"),
        ("id,application\nb,flit\n", "unknown application"),
        ("id,application\nbergen,flyt\n", "there twice"),
        ("id,application\nB B,flyt\n", "line 2"),
        ("id,application,access_token\nb,flyt,literal:x\n", "others can read"),
    ],
)
def test_a_mistake_in_a_tenant_list_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "t.csv").chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD + '[tenants_from]\npath = "t.csv"\n')
    assert said in str(caught.value)


def test_a_tenant_without_the_keys_of_its_provider_is_refused(tmp_path: Path) -> None:
    text = (
        GOOD.replace("flyt-oneroster", "flyt-skole")
        .replace('tenant_id = "aa750693"\n', "")
        .replace('resources = ["orgs", "users"]', "")
    )
    with pytest.raises(ConfigError, match='flyt-skole needs "tenant_id"'):
        read(tmp_path, text)


def test_a_provider_can_be_declared_with_no_code(tmp_path: Path) -> None:
    own = """
[providers.my-sis]
base_url = "https://sis.example.org/api"
token_url = "https://sis.example.org/token"
tenant_keys = ["customer_id"]
headers = { "X-Customer" = "{customer_id}" }
[providers.my-sis.paging]
limit = "top"
offset = "skip"
[[providers.my-sis.resources]]
name = "people"
path = "/people"
key = "id"
[applications.own]
provider = "my-sis"
client_id = "me"
client_secret = "env:S"
[[tenants]]
id = "one"
application = "own"
customer_id = "77"
"""
    config = read(tmp_path, GOOD + own)
    provider, application, tenant = config.providers["my-sis"], config.applications["own"], config.tenants[-1]
    assert base_url(provider, application, tenant, provider.resources[0]) == "https://sis.example.org/api"
    assert token_url(provider, application) == "https://sis.example.org/token"
    assert headers(provider, tenant) == {"X-Customer": "77"}
    assert (provider.paging.limit, provider.resources[0].key) == ("top", ("id",))


def test_a_built_in_provider_cannot_be_declared_again(tmp_path: Path) -> None:
    own = '[providers.flyt-skole]\n[[providers.flyt-skole.resources]]\nname = "x"\npath = "/x"\n'
    with pytest.raises(ConfigError, match="built in"):
        read(tmp_path, GOOD + own)


@pytest.mark.parametrize("name", ["nightly", "backfill", "demo"])
def test_the_example_configurations_load(name: str) -> None:
    assert load(ROOT / "configs" / f"{name}.toml").tenants


def test_what_init_writes_loads(tmp_path: Path) -> None:
    assert read(tmp_path, TEMPLATE).tenants[0].id == "example-district"


def test_what_is_no_file_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="harvester init"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError):
        load(tmp_path)
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "x.toml")
