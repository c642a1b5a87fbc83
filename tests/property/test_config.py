"""Configurations: whatever stands in one, only a `ConfigError` comes out, and it quotes no secret."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.config.load import Config, load
from harvester.config.place import line_of
from harvester.config.schema import PROVIDER, RESOURCE, RUN_NAME, TENANT_ID
from harvester.config.urls import flaw_of_url, is_loopback
from harvester.errors import ConfigError
from tests.unit.config.test_keys import WHOLE
from tests.unit.config.test_load import GOOD

CANARY = "hunter2-7f3a9c"
SECRET = GOOD.replace("file:/run/secret", CANARY)
LINES = GOOD.splitlines()
JUNK = st.sampled_from(
    [
        "[run]",
        "[[tenants]]",
        "[applications]",
        "x = 1",
        "url = 5",
        "[sink.x]",
        "id = []",
        "a.b.c = {}",
        "[",
        "tenants = 3",
        "applications = []",
    ]
)
TEXT = st.text(max_size=12) | st.sampled_from(
    ["", "..", "../x", "env:", "http://x", "{x}", "a\0b", "a\n", "$X"]
)
VALUES: st.SearchStrategy[str] = st.recursive(
    TEXT.filter(str.isprintable).map(json.dumps)
    | st.integers().map(str)
    | st.sampled_from(
        ["true", "inf", "nan", "1e400", "1979-05-27", "07:32:00", "9" * 30, '"""x\n"""', "'x'"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda all_: f"[{', '.join(all_)}]")
        | st.lists(inner, max_size=2).map(
            lambda all_: "{" + ", ".join(f"k{n} = {value}" for n, value in enumerate(all_)) + "}"
        )
    ),
    max_leaves=4,
)


def mutated(data: st.DataObject, lines: list[str]) -> str:
    lines = list(lines)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        action = data.draw(st.sampled_from(["drop", "twice", "junk", "text"]))
        if action == "drop":
            del lines[place]
        else:
            new = {"twice": lines[place], "junk": data.draw(JUNK), "text": data.draw(st.text(max_size=12))}
            lines.insert(place, new[action])
    return "\n".join(lines)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_configuration_loads_or_is_refused_by_name(data: st.DataObject) -> None:
    _load(mutated(data, LINES).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_refusal_never_quotes_a_secret_that_stands_in_the_clear(data: st.DataObject) -> None:
    assert _load(SECRET.encode()) is None
    _load(mutated(data, SECRET.splitlines()).encode("utf-8", "surrogatepass"))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_of_any_key_is_taken_or_refused_by_name(data: st.DataObject) -> None:
    lines = WHOLE.splitlines()
    places = [n for n, line in enumerate(lines) if " = " in line]
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=2, unique=True)):
        lines[place] = f"{lines[place].partition(' = ')[0]} = {data.draw(VALUES)}"
    config = _load("\n".join(lines).encode(), {"more.ndjson": b""})
    if config is not None:
        _is_safe(config)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_load_or_are_refused_by_name(text: bytes) -> None:
    _load(text)


HEADS = st.lists(
    st.sampled_from(["id", "application", "tenant_id", "resources", "base_url", "client_secret", "nope"]),
    min_size=1,
    max_size=4,
)
CELLS = st.sampled_from(["flyt", "b1", "b2", "users", "env:X", "http://x.org", "", " "]) | TEXT


@settings(max_examples=300, deadline=None)
@given(HEADS, st.lists(st.lists(CELLS, max_size=5), max_size=4))
def test_any_cells_of_a_list_are_taken_or_refused_with_the_lists_name(
    head: list[str], rows: list[list[str]]
) -> None:
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows([head, *rows])
    _list("t.csv", table.getvalue().encode("utf-8", "surrogatepass"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | CELLS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["id", "application", "resources", "tenant_id", "x"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(JSON, max_size=3))
def test_any_objects_of_a_list_are_taken_or_refused_with_the_lists_name(rows: list[object]) -> None:
    _list("t.ndjson", "\n".join(map(json.dumps, rows)).encode())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["t.csv", "t.ndjson", "t.toml"]), st.binary(max_size=60))
def test_any_bytes_of_a_list_are_taken_or_refused(name: str, text: bytes) -> None:
    _list(name, text)


PATHS = st.lists(st.sampled_from(["a", "b", "c d", "tenants"]) | st.integers(0, 3), max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab[]=.\"'{}#\n \\", max_size=60), PATHS)
def test_a_place_is_a_line_of_the_text_whatever_the_text(text: str, path: list[str | int]) -> None:
    line = line_of(text, path)
    assert line is None or 1 <= line <= len(text.splitlines())


HOSTS = st.sampled_from(
    ["localhost", "127.0.0.1", "[::1]", "example.org", "0", "127.1", "[::]", "@", ":80", "."]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(HOSTS | st.text(max_size=4), min_size=1, max_size=3).map("".join), st.text(max_size=6))
def test_an_address_in_the_clear_is_taken_only_for_this_machine(host: str, path: str) -> None:
    from yarl import URL  # noqa: PLC0415 - another reader of addresses, the one that sends

    url = f"http://{host}/{path}"
    if flaw_of_url(url) is None:
        assert is_loopback(URL(url, encoded=True).host or "")


def _list(name: str, text: bytes) -> None:
    error: list[ConfigError] = []
    _load(f'{GOOD}[tenants_from]\npath = "{name}"\n'.encode(), {name: text}, error)
    assert not error or name in error[0].where


def _load(
    text: bytes, beside: dict[str, bytes] | None = None, kept: list[ConfigError] | None = None
) -> Config | None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {**(beside or {}), "x.toml": text}.items():
            path = Path(folder) / name
            path.write_bytes(content)
            path.chmod(0o600)
        try:
            return load(path)
        except ConfigError as error:
            kept = [] if kept is None else kept
            kept.append(error)
    assert CANARY not in str(kept[0])
    return None


def _is_safe(config: Config) -> None:
    """What becomes a file or folder has a name for one; what is asked, is asked in cipher."""
    assert re.match(RUN_NAME, config.run.name)
    for tenant in config.tenants:
        assert re.match(TENANT_ID, tenant.id)
        assert tenant.base_url is None or flaw_of_url(tenant.base_url) is None
    for provider in config.providers.values():
        assert re.match(PROVIDER, provider.name)
        assert all(re.match(RESOURCE, resource.name) for resource in provider.resources)
    assert config.sink.part_size > 0
    assert config.run.max_duration is None or config.run.max_duration > 0
