"""Tenants: lists of their own file, what each must have, and what is said of a mistake in one of many."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.config.load import Config
from harvester.errors import ConfigError
from harvester.model import SecretRef
from tests.unit.config.test_load import GOOD, read


def listed(tmp_path: Path, name: str, text: str | bytes, *, mode: int = 0o600, main: str = GOOD) -> Config:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return read(tmp_path, f'{main}[tenants_from]\npath = "{name}"\n', mode)


def refusal(tmp_path: Path, name: str, text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        listed(tmp_path, name, text)
    return caught.value


def test_every_key_may_stand_in_a_column(tmp_path: Path) -> None:
    config = listed(
        tmp_path,
        "t.csv",
        "id,application,tenant_id,app_id,access_token,base_url,client_id,client_secret,customer_id,user_id,resources\n"
        "b1,flyt,t,a,env:T,https://b1.example.org,me,env:S,c,u,orgs users\n",
    )
    tenant = config.tenants[1]
    assert tenant.keys == {"tenant_id": "t", "app_id": "a", "customer_id": "c", "user_id": "u"}
    assert tenant.base_url == "https://b1.example.org"
    assert tenant.resources == ("orgs", "users")
    assert tenant.credentials == {
        "access_token": SecretRef("env", "T"),
        "client_id": SecretRef("literal", "me"),
        "client_secret": SecretRef("env", "S"),
    }


def test_a_list_as_spreadsheets_write_it_is_read(tmp_path: Path) -> None:
    text = (
        '\ufeffid,application,resources,tenant_id\r\n b1 ,flyt,"orgs, users;courses|classes",\r\n\r\n,,,\r\n'
    )
    (_, tenant) = listed(tmp_path, "T.CSV", text).tenants
    assert tenant.id == "b1"
    assert tenant.resources == ("orgs", "users", "courses", "classes")
    assert tenant.keys == {}


@pytest.mark.parametrize("name", ["t.ndjson", "t.jsonl"])
def test_a_list_may_be_ndjson_by_both_its_names(tmp_path: Path, name: str) -> None:
    config = listed(tmp_path, name, '{"id":"b1","application":"flyt"}\n\n{"id":"b2","application":"flyt"}')
    assert [tenant.id for tenant in config.tenants] == ["bergen", "b1", "b2"]


@pytest.mark.parametrize(
    ("name", "text", "where", "said"),
    [
        ("t.csv", "id,application,tenantid\n", "t.csv, line 1", 'Did you mean "tenant_id"?'),
        ("t.csv", "id;application\nb1;flyt\n", "t.csv, line 1", "Separate cells by commas"),
        ("t.csv", "id,application,id\nb1,flyt,b2\n", "t.csv, line 1", "there twice"),
        ("t.csv", "id,application\nb1,flyt\nb2\n", "t.csv, line 3", "not as many cells"),
        ("t.csv", "id,application\nb1,flyt,x\n", "t.csv, line 2", "not as many cells"),
        ("t.csv", 'id,application\nb1,"flyt\n', "t.csv, line", "not CSV"),
        ("t.csv", f"id,application\nb1,{'x' * 200_000}\n", "t.csv, line", "not CSV"),
        ("t.csv", "id,application\nb1,flyt\nB2,flyt\n", "t.csv, line 3, id", "of the form"),
        ("t.csv", "id,application\nb1,\n", "t.csv, line 2", '"application" is missing'),
        ("t.csv", "id,application\nb1,flit\n", "t.csv, line 2, application", 'Did you mean "flyt"?'),
        ("t.csv", "id,application,resources\nb1,flyt,userz\n", "t.csv, line 2, resources", '"users"?'),
        ("t.csv", "id,application,base_url\nb1,flyt,http://x.org\n", "t.csv, line 2, base_url", "in clear"),
        ("t.csv", "id,application,client_secret\nb1,flyt,hunter2\n", "t.csv, line 2, client_secret", "env:"),
        ("t.csv", b"id,application\nb\xff,flyt\n", "t.csv", "UTF-8"),
        ("t.ndjson", '{"id":"b1","application":"flyt"}\n{"id":\n', "t.ndjson, line 2", "not a JSON object"),
        ("t.ndjson", "[1]\n", "t.ndjson, line 1", "expected"),
        ("t.ndjson", "[" * 100_000, "t.ndjson, line 1", "not a JSON object"),
        ("t.ndjson", '{"id":"b1","applicatoin":"flyt"}', "t.ndjson, line 1", 'Did you mean "application"?'),
        ("t.ndjson", '{"id":5,"application":"flyt"}', "t.ndjson, line 1, id", "expected"),
        (
            "t.ndjson",
            '{"id":"b1","application":"flyt","tenant_id":"a\\nb"}',
            "t.ndjson, line 1, tenant_id",
            "control character",
        ),
        ("t.toml", '\n[[tenants]]\nid = "b1"\n', "t.toml, line 2", '"application" is missing'),
        ("t.toml", 'tenants = [{ id = "b1" }]\n', "t.toml, tenant 1", '"application" is missing'),
        ("t.toml", "tenants = 5\n", "t.toml", "nothing else"),
        ("t.toml", '[sink]\nurl = "x"\n', "t.toml", "nothing else"),
        ("t.toml", "[[tenants]]\nid =\n", "t.toml", "line 2"),
        ("t.xlsx", "", "t.xlsx", "Use .csv, .ndjson or .toml."),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(
    tmp_path: Path, name: str, text: str | bytes, where: str, said: str
) -> None:
    error = refusal(tmp_path, name, text)
    assert where in error.where
    assert "nightly.toml" not in error.where
    assert said in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("path", ["none.csv", ".", "a\\u0000.csv"])
def test_a_list_that_is_not_there_is_told(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f'{GOOD}[tenants_from]\npath = "{path}"\n')
    assert str(tmp_path) in caught.value.where
    assert "harvester init" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "id,application\n", "\n\n"])
def test_a_list_without_tenants_is_noticed(tmp_path: Path, text: str) -> None:
    config = listed(tmp_path, "t.csv", text)
    assert config.notices == ("t.csv lists no tenant",)
    assert len(config.tenants) == 1


def test_a_tenant_that_is_there_twice_is_told_with_both_places(tmp_path: Path) -> None:
    error = refusal(tmp_path, "t.csv", "id,application\nb1,flyt\nb2,flyt\nb1,flyt\n")
    assert (error.where, error.advice) == ("t.csv, line 4", "The first is in t.csv, line 2.")
    error = refusal(tmp_path, "t.csv", "id,application\nbergen,flyt\n")
    assert (error.where, error.advice) == (
        "t.csv, line 2",
        "The first is in nightly.toml, line 21, tenants[0].",
    )
    with pytest.raises(ConfigError, match=r"line 26, tenants\[1\]: .* there twice"):
        read(tmp_path, GOOD + '[[tenants]]\nid = "bergen"\napplication = "flyt"\n')


def test_literals_are_judged_by_the_mode_of_the_file_that_holds_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,application,client_secret\nb1,flyt,env:S\nb2,flyt,literal:hunter2\n")
    main = f'{GOOD}[tenants_from]\npath = "t.csv"\n'
    path.chmod(0o600)
    config = read(tmp_path, main, 0o644)  # the configuration itself holds none
    assert config.notices == ("literal secrets are for demos only: 1 secrets in t.csv",)
    assert "hunter2" not in repr(config)
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(ConfigError, match=r"t\.csv, line 3, client_secret is a literal") as caught:
            read(tmp_path, main, 0o600)
        assert "chmod 600 t.csv" in caught.value.advice
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_literals_of_the_configuration_need_a_file_of_its_owner_alone(tmp_path: Path, mode: int) -> None:
    text = GOOD.replace("env:ID", "literal:me").replace("file:/run/secret", "literal:hunter2")
    with pytest.raises(ConfigError, match=r"applications\.flyt\.client_secret is a literal") as caught:
        read(tmp_path, text, mode)
    assert "hunter2" not in str(caught.value)
    text = GOOD + 'client_secret = "literal:hunter2"\n'
    with pytest.raises(ConfigError, match=r"tenants\[0\]\.client_secret is a literal"):
        read(tmp_path, text, mode)
    assert len(read(tmp_path, text, 0o600).notices) == 1


def test_a_client_id_may_be_a_literal_anywhere(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD.replace("env:ID", "literal:me"), 0o644)
    assert config.notices == ()


LACKING = [
    ("flyt-skole", {}, '"tenant_id"'),
    ("flyt-skole", {"environment": "sandbox"}, '"tenant_id"'),
    ("classlink-proxy", {"access_token": "env:T"}, '"app_id"'),
    ("automatic-rostering", {}, '"customer_id"'),
    ("classlink-direct", {}, "no published address"),
    ("flyt-oneroster", {"environment": "test"}, "no published address"),
    ("oneroster-v1p1", {}, "no published address"),
    ("oneroster-v1p2", {"base_url": "https://x.example.org"}, "needs a token_url"),
    ("flyt-oneroster", {"client_id": ""}, 'needs "client_id"'),
    ("flyt-oneroster", {"client_secret": ""}, 'needs "client_secret"'),
    ("classlink-proxy", {"app": "x"}, 'needs "access_token"'),
]


@pytest.mark.parametrize(("provider", "stated", "said"), LACKING)
def test_a_tenant_that_could_not_be_reached_is_refused_before_the_night(
    tmp_path: Path, provider: str, stated: dict[str, str], said: str
) -> None:
    app_id = 'app_id = "x"\n' if stated.pop("app", "") else ""
    keys = {"client_id": "me", "client_secret": "env:S", **stated}
    lines = "".join(f'{key} = "{value}"\n' for key, value in keys.items() if value)
    text = (
        f'[sink]\nurl = "x"\n[applications.a]\nprovider = "{provider}"\n{lines}'
        f'[[tenants]]\nid = "t"\napplication = "a"\n{app_id}'
    )
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert said in caught.value.what
    assert caught.value.what.startswith("tenant t: ")
    assert f"line {text[: text.index('[[tenants]]')].count(chr(10)) + 1}, tenants[0]" in caught.value.where
    assert caught.value.advice


@pytest.mark.parametrize("value", ["", "a\\nb", "a\\u0000", "a\\u202eb"])
def test_a_key_that_no_header_or_path_could_hold_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"line 24, tenants\[0\]\.tenant_id"):
        read(tmp_path, GOOD.replace("aa750693", value))


def test_thousands_of_tenants_load_with_a_resource_each(tmp_path: Path) -> None:
    rows = "".join(f"t{n},flyt,{n:036d},orgs users enrollments\n" for n in range(5000))
    config = listed(tmp_path, "t.csv", f"id,application,tenant_id,resources\n{rows}")
    assert len(config.tenants) == 5001
    assert config.tenants[5000].keys == {"tenant_id": f"{4999:036d}"}


def test_all_tenants_that_lack_something_are_named_at_once(tmp_path: Path) -> None:
    main = GOOD + '[applications.skole]\nprovider = "flyt-skole"\nclient_id = "me"\nclient_secret = "env:S"\n'
    rows = "".join(f"t{n},skole,{'' if n % 2 else 'guid'}\n" for n in range(30))
    with pytest.raises(ConfigError) as caught:
        listed(tmp_path, "t.csv", f"id,application,tenant_id\n{rows}", main=main)
    said = str(caught.value)
    assert caught.value.where == "t.csv, line 3"
    assert 'tenant t1: flyt-skole needs "tenant_id"' in said
    assert "14 other tenants lack something too: t3 (" in said
    assert "t21 (" in said
    assert "t23" not in said
    assert "and 4 more" in said
    assert "t2 " not in said


def test_paths_of_inputs_start_from_the_configuration_whatever_the_working_directory(tmp_path: Path) -> None:
    text = GOOD.replace('client_id = "', 'ca_file = "ca.pem"\nclient_id = "', 1)
    config = listed(tmp_path, "t.csv", "id,application\nb1,flyt\n", main=text)
    assert config.applications["flyt"].ca_file == str(tmp_path / "ca.pem")
    assert len(config.tenants) == 2
