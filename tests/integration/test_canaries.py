"""No secret in any file, log or message, whatever goes wrong: runs with secrets that are easy to find."""

from __future__ import annotations

import base64
import gzip
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.harvesting import command
from tests.integration.test_exit_codes import emulator

FAULTS = (
    "",
    "401:0.3",
    "403:1",
    "500:0.2,503:0.1,429:0.1",
    "html:0.2",
    "reset:0.1,truncate:0.1",
    "redirect:https://elsewhere.example/?token=x",
    "revoke-after:2",
)


@pytest.mark.parametrize("faults", FAULTS)
def test_no_secret_shows_anywhere(tmp_path: Path, faults: str) -> None:
    options = ["--faults", faults] if faults else []
    with emulator(tmp_path, "--tenants", "1", "--rows", "30", *options) as config:
        text = config.read_text()
        secrets = re.findall(r'"literal:([^"]*)"', text)
        assert len(secrets) >= 6
        environment = {f"CANARY_{i}": secret for i, secret in enumerate(secrets)}
        for name, secret in environment.items():
            text = text.replace(f'"literal:{secret}"', f'"env:{name}"', 1)
        config.write_text(text)
        said = ""
        for words in (
            ("run", config, "--json", "--log-level", "debug", "--resource", "orgs", "--resource", "jobs"),
            ("check", config, "--tenant", "*1"),
            ("show", config),
        ):
            done = command(*words, cwd=tmp_path, **environment)
            said += done.stdout + done.stderr
            assert "Traceback" not in done.stderr
    written = {
        path: path.read_bytes()
        for folder in ("lake", "state")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    }
    (path,) = (tmp_path / "state" / "logs").glob("*.ndjson")
    log = path.read_text()
    assert "pull_finished" in log
    for secret in secrets:
        for form in _forms(secret):
            assert form not in said, f"in what was printed: a form of {secret[:3]}..."
            for path, data in written.items():
                assert form.encode() not in data, f"in {path}"
    for path, data in written.items():
        if path.name != "tokens.json":  # access tokens are kept there on purpose, 0600
            assert not re.search(rb"Bearer [A-Za-z0-9_-]{8}", data), path
    assert not re.search(r"Bearer [A-Za-z0-9_-]{8}", said)
    assert "oauth_signature=" not in said + log


@pytest.mark.parametrize("faults", ["", "500:0.2,html:0.1,truncate:0.2", "poison:3"])
def test_no_person_shows_anywhere_but_in_the_records(tmp_path: Path, faults: str) -> None:
    options = ["--faults", faults] if faults else []
    with emulator(tmp_path, "--tenants", "1", "--rows", "150", *options) as config:
        words = ("--json", "--log-level", "debug", "--resource", "users", "--resource", "persons")
        done = command("run", config, *words, cwd=tmp_path)
        said = done.stdout + done.stderr + command("show", config, "--tenant", "*", cwd=tmp_path).stdout
    lake, state = tmp_path / "lake", tmp_path / "state"
    persons = set()
    for part in lake.rglob("part-*.ndjson.gz"):
        for line in gzip.decompress(part.read_bytes()).split(b"\n")[:-1]:
            persons |= set(re.findall(rb"[\w.+-]+@[\w.-]+\w", line))
    assert len(persons) > 100
    for path in (*lake.rglob("*.json"), *state.rglob("*")):
        if path.is_file():
            said += path.read_bytes().decode(errors="replace")
    assert not [person for person in persons if person.decode() in said]


def _forms(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}


def test_tokens_are_kept_between_runs_only_where_wanted_and_never_static_ones(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "5") as config:
        words = ("run", config, "--resource", "orgs", "--progress", "none")
        command(*words, cwd=tmp_path)
        tokens = tmp_path / "state" / "tokens.json"
        (static,) = re.findall(r'access_token = "literal:([^"]*)"', config.read_text())
        assert tokens.stat().st_mode & 0o777 == 0o600
        assert static not in tokens.read_text()
        assert "oneroster-v1p2" not in tokens.read_text(), "it names no client"
        tokens.unlink()
        config.write_text(config.read_text().replace("[state]\n", "[state]\ntoken_cache = false\n"))
        command(*words, cwd=tmp_path)
        assert not tokens.exists()
