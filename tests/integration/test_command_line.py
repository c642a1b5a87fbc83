"""The verbs as a person meets them: help, init, check, plan, runs, show, emulate, completion."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.harvesting import command
from tests.integration.test_exit_codes import emulator

ROOT = Path(__file__).parents[2]
VERBS = ("run", "plan", "check", "runs", "show", "emulate", "demo", "init")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    done = command(verb, "--help")
    assert done.returncode == 0
    assert f"harvester {verb}" in done.stdout
    assert "Example" in done.stdout


def test_help_lists_every_verb_and_imports_nothing_heavy() -> None:
    done = command("--help")
    assert all(verb in done.stdout for verb in VERBS)
    code = "import sys; from harvester.cli.app import invoke; invoke(['--help']); print(sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("'aiohttp'", "'msgspec'", "'authlib'", "'structlog'", "'orjson'"):
        assert heavy not in modules


def test_the_documented_commands_are_those_of_the_program() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "commands.py"))["text"]()
    assert written == (ROOT / "docs" / "commands.md").read_text(encoding="utf-8"), "run: make docs"


def test_init_writes_a_configuration_that_loads_and_never_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "mine.toml"
    assert command("init", target).returncode == 0
    assert command("plan", target, cwd=tmp_path).returncode == 0
    again = command("init", target)
    assert again.returncode == 2
    assert "exists" in again.stderr
    assert command("init", "--stdout").stdout == target.read_text()


def test_completion_can_be_installed(tmp_path: Path) -> None:
    done = command("completion", "--shell", "bash", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    scripts = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("harvester" in path.read_text() for path in scripts)


def test_plan_needs_no_provider_and_knows_sizes_after_a_run(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "450") as config:
        before = json.loads(
            command("plan", config, "--tenant", "oneroster-v1p2-1", "--json", cwd=tmp_path).stdout
        )
        probed = command("plan", config, "--tenant", "oneroster-v1p2-1", "--json", "--probe", cwd=tmp_path)
        command("run", config, "--tenant", "oneroster-v1p2-1", "--progress", "none", cwd=tmp_path)
    after = json.loads(command("plan", config, "--tenant", "oneroster-v1p2-1", "--json", cwd=tmp_path).stdout)
    assert before["applications"][0]["records"] is None
    assert before["applications"][0]["unknown"] == 6
    users = {pull["resource"]: pull["expected_records"] for pull in after["pulls"]}
    assert users["users"] == 450
    assert json.loads(probed.stdout)["pulls"] == after["pulls"]
    assert after["applications"][0]["pages"] == 19
    assert "minutes" in command("plan", config, cwd=tmp_path).stdout


def test_check_tells_each_tenants_dialect_and_what_to_do(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "130", "--faults", "cap:37") as config:
        good = command("check", config, "--json", cwd=tmp_path)
        text = config.read_text()
        config.write_text(text.replace("/t/oneroster-v1p1-1/", "/t/nobody/"))
        bad = command("check", config, cwd=tmp_path)
    findings = [json.loads(line) for line in good.stdout.splitlines()]
    assert good.returncode == 0, good.stdout
    assert all(finding["ok"] for finding in findings)
    users = next(f for f in findings if (f["tenant"], f["resource"]) == ("oneroster-v1p2-1", "users"))
    assert users["dialect"]["limit_cap"] == 37
    assert users["dialect"]["total"] == 130
    assert users["dialect"]["filter"] is True
    assert abs(users["clock_skew_seconds"]) < 5
    assert bad.returncode == 3
    assert "harvester check" in bad.stdout


def test_runs_and_show_tell_what_happened(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "250") as config:
        assert "no runs yet" in command("runs", config, cwd=tmp_path).stderr
        command(
            "run",
            config,
            "--tenant",
            "oneroster-v1p2-1",
            "--run-id",
            "my-run",
            "--progress",
            "none",
            cwd=tmp_path,
        )
    listed = command("runs", config, cwd=tmp_path).stdout
    assert "my-run" in listed
    told = command("show", config, "my-run", "--tenant", "oneroster-v1p2-1", cwd=tmp_path).stdout
    assert "certified: no record that existed throughout the pull can be missing" in told
    assert "order seen: id asc (codepoint)" in told
    assert json.loads(command("show", config, "--json", cwd=tmp_path).stdout)["run"] == "my-run"
    missing = command("show", config, "other", cwd=tmp_path)
    assert missing.returncode == 2


def test_records_go_to_stdout_and_nothing_else_does(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "120") as config:
        config.write_text(re.sub(r'url = "[^"]*"', 'url = "-"', config.read_text(), count=1))
        done = command("run", config, "--tenant", "oneroster-v1p2-1", "--resource", "users", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.split("\n")[:-1]]  # U+2028 is data
    assert len({record["sourcedId"] for record in records}) == 120


def test_progress_is_plain_lines_or_json_where_there_is_no_terminal(tmp_path: Path) -> None:
    with emulator(tmp_path, "--tenants", "1", "--rows", "20") as config:
        plain = command("run", config, cwd=tmp_path).stderr
        as_json = command("run", config, "--progress", "json", cwd=tmp_path).stderr
    assert re.search(r"\d+/\d+ pulls, 0 not committed", plain)
    summary = next(json.loads(line) for line in as_json.splitlines() if line.startswith("{"))
    assert summary["message_type"] == "summary"
    assert summary["done"] == summary["pulls"]


def test_the_demo_runs_and_the_query_that_the_readme_shows_works_on_it(tmp_path: Path) -> None:
    done = command("demo", "--rows", "60", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "grandbend" in done.stdout
    query = re.search(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert query is not None
    rows = duckdb.sql(query[1].replace("demo/lake", str(tmp_path / "demo" / "lake"))).fetchall()
    assert ("grandbend", 2888) in [row[:2] for row in rows]
    documented = re.search(
        r"```sql\n(.*?)```", (ROOT / "docs/what-lands.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert documented is not None
    again = duckdb.sql(documented[1].replace("lake/", str(tmp_path / "demo" / "lake") + "/")).fetchall()
    assert ("grandbend", 2888) in again


def test_a_csv_bundle_can_be_served_and_a_wrong_folder_is_named(tmp_path: Path) -> None:
    bundle = ROOT / "tests" / "data" / "oneroster-v1p1-csv"
    with emulator(tmp_path, "--tenants", "0", "--csv", str(bundle)) as config:
        done = command("run", config, "--json", "--progress", "none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    wrong = command("emulate", "--csv", empty)
    assert wrong.returncode == 2
    assert "no OneRoster CSV bundle" in wrong.stderr
    assert command("emulate", "--faults", "nonsense:1").returncode == 2
