"""Values that become files, folders and addresses: what is taken and what is refused, in its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.config.load import load
from harvester.errors import ConfigError
from tests.unit.config.test_load import GOOD, read


@pytest.mark.parametrize("name", ["../../x", "", "a/b", "a b", ".hidden", "x" * 65, "x\\n"])
def test_a_runs_name_is_fit_for_a_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"line 2, run\.name"):
        read(tmp_path, GOOD.replace('"nightly"', f'"{name}"', 1))


@pytest.mark.parametrize("tenant", ["../x", "", ".a", "A", "a b", "a/b", "x" * 129, "bergen\\n", "å"])
def test_a_tenants_id_is_fit_for_a_folders_name(tmp_path: Path, tenant: str) -> None:
    with pytest.raises(ConfigError, match=r"line 22, tenants\[0\]\.id"):
        read(tmp_path, GOOD.replace('"bergen"', f'"{tenant}"', 1))


@pytest.mark.parametrize("tenant", ["a", "0", "a.b-c_d", "x" * 128])
def test_a_tenants_id_of_the_contract_is_taken(tmp_path: Path, tenant: str) -> None:
    assert read(tmp_path, GOOD.replace('"bergen"', f'"{tenant}"', 1)).tenants[0].id == tenant


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("./lake", "./lake"),
        ("-", "-"),
        ("/lake", "/lake"),
        ("lake//[x", "lake//[x"),
        ("file:///lake", "/lake"),
        ("FILE:///lake", "/lake"),
        ("file://localhost/lake", "/lake"),
    ],
)
def test_a_sink_is_a_folder_or_standard_output(tmp_path: Path, url: str, folder: str) -> None:
    assert read(tmp_path, GOOD.replace("./lake", url, 1)).sink.url == folder


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://bucket/prefix", "not written to by this version"),
        ("gs://bucket", "not written to by this version"),
        ("az://bucket", "not written to by this version"),
        ("ftp://x", 'unknown sink "ftp:"'),
        ("http://[x", 'unknown sink "http:"'),
        ("file://", "something but a path"),
        ("file://server/lake", "something but a path"),
        ("file:lake", "something but a path"),
        ("", "not a path"),
        (" ", "not a path"),
        ("a\\u0000b", "not a path"),
    ],
)
def test_another_sink_is_refused_in_its_line(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"line 4, sink\.url") as caught:
        read(tmp_path, GOOD.replace("./lake", url, 1))
    assert said in caught.value.what


@pytest.mark.parametrize("path", ["", "  ", "a\\u0000b"])
def test_a_state_that_would_be_the_working_directory_itself_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"line 9, state\.path"):
        read(tmp_path, GOOD.replace("./state", path, 1))


@pytest.mark.parametrize("text", ["$ID", "", "vault:x", "ENV:ID", "env:", "https://id.example.org"])
def test_a_client_id_that_looks_like_a_mistaken_reference_is_no_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"line 13, applications\.flyt\.client_id"):
        read(tmp_path, GOOD.replace("env:ID", text, 1))


def test_a_configuration_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="harvester init"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="NUL"):
        load(tmp_path / "a\0b.toml")
