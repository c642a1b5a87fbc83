"""A secret is found where it was said to be, and never shows."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import os
import pickle
import random
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, quote_plus

import orjson
import pytest

from harvester.config import commands
from harvester.config.disguises import Scrubber
from harvester.config.secrets import Secret, Secrets, parse_reference
from harvester.errors import ConfigError, SecretError
from harvester.model import SecretRef

CANARY = "Zq4+/x=1 æ\"\\%'end"


def found(text: str, **kept: object) -> str:
    return Secrets(**kept).resolve(parse_reference(text)).reveal()  # type: ignore[arg-type]


def error_of(text: str, **kept: object) -> SecretError:
    with pytest.raises(SecretError) as caught:
        found(text, **kept)
    assert caught.value.__cause__ is None
    assert caught.value.advice
    return caught.value


def private(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(0o600)
    return path


# --- the opaque value


def test_a_secret_prints_as_stars_in_every_way_to_print() -> None:
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{secret:>5}", "%s" % secret]  # noqa: UP031
    shown += [repr([secret]), repr({"a": secret}), "{}".format(secret), f"{(secret,)}"]  # noqa: UP032
    assert all("***" in text and "Zq4" not in text for text in shown)


def test_a_secret_is_not_serialised() -> None:
    secret = Secret(CANARY)
    for write in (pickle.dumps, json.dumps, orjson.dumps):
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert "Zq4" not in str(caught.value)
    assert json.dumps(secret, default=str) == '"***"'
    assert orjson.dumps(secret, default=str) == b'"***"'
    with pytest.raises(TypeError):
        secret.__getstate__()
    with pytest.raises(TypeError):
        vars(secret)


def test_a_copy_of_a_secret_is_as_silent_as_the_secret() -> None:
    @dataclasses.dataclass
    class Holder:
        secret: Secret

    secret = Secret(CANARY)
    assert repr(copy.copy(secret)) == repr(copy.deepcopy(secret)) == "***"
    assert repr(dataclasses.asdict(Holder(secret))) == "{'secret': ***}"


def test_secrets_are_equal_by_value_and_have_no_hash() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\udcff") == Secret("\udcff")
    with pytest.raises(TypeError):
        hash(Secret("a"))


# --- references


@pytest.mark.parametrize(
    ("text", "scheme", "rest"),
    [
        ("env:FLYT_CLIENT_ID", "env", "FLYT_CLIENT_ID"),
        ("file:/run/secrets/flyt", "file", "/run/secrets/flyt"),
        ("file:C:/keys", "file", "C:/keys"),
        ("cmd:pass show 'flyt/client secret'", "cmd", "pass show 'flyt/client secret'"),
        ("keyring:harvester/flyt", "keyring", "harvester/flyt"),
        ("literal:a:b", "literal", "a:b"),
    ],
)
def test_each_form_of_the_contract_is_read(text: str, scheme: str, rest: str) -> None:
    assert parse_reference(text) == SecretRef(scheme, rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Zq4canary",
        "Zq4canary:x",
        "ENV:Zq4canary",
        "env:",
        "env:Zq4 canary",
        "env: Zq4canary",
        "env:${Zq4canary}",
        "${Zq4canary}",
        "$Zq4canary",
        "file:",
        "file:Zq4canary\0",
        "cmd:",
        "cmd:  ",
        "cmd:Zq4canary 'x",
        "keyring:Zq4canary",
        "keyring:/Zq4canary",
        "keyring:Zq4canary/",
        "literal:",
    ],
)
def test_what_is_no_reference_is_refused_with_the_forms_and_without_the_text(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_reference(text)
    assert "env:NAME" in str(caught.value)
    assert "Zq4canary" not in str(caught.value)


def test_a_literals_reference_does_not_show_its_value() -> None:
    reference = parse_reference(f"literal:{CANARY}")
    assert "Zq4" not in f"{reference} {reference!r}"


# --- where they are sought


def test_a_variable_of_the_environment_is_taken_as_it_is() -> None:
    assert found("env:KEY", environ={"KEY": " a b "}) == " a b "


def test_a_missing_variable_is_named_with_what_to_do() -> None:
    assert str(error_of("env:FLYT_KEY", environ={})) == (
        "the environment has no variable FLYT_KEY. Set it: export FLYT_KEY=..."
    )


@pytest.mark.parametrize("value", ["", "Zq4\nX: y", "Zq4\r", "Zq4\0", "Zq4\udcff"])
def test_a_value_that_can_be_no_secret_is_refused_unseen(value: str) -> None:
    assert "Zq4" not in str(error_of("env:KEY", environ={"KEY": value}))


@pytest.mark.parametrize("data", ["s3cret", "s3cret\n", "s3cret\r\n", "\ufeffs3cret\n"])
def test_a_file_gives_its_text_less_one_newline(tmp_path: Path, data: str) -> None:
    assert found(f"file:{private(tmp_path / 'key', data)}") == "s3cret"


def test_only_one_newline_is_taken_off_a_file(tmp_path: Path) -> None:
    private(tmp_path / "key", "s3cret\n\n")
    assert "more than one line" in str(error_of("file:key", folder=tmp_path))


def test_a_relative_file_is_sought_beside_the_configuration(tmp_path: Path) -> None:
    private(tmp_path / "key", "s3cret")
    assert found("file:key", folder=tmp_path) == "s3cret"


def test_a_file_may_be_a_link_as_orchestrators_make_them(tmp_path: Path) -> None:
    private(tmp_path / "data", "s3cret")
    (tmp_path / "key").symlink_to("data")
    assert found("file:key", folder=tmp_path) == "s3cret"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601])
def test_a_file_that_everybody_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    private(tmp_path / "key", "s3cret").chmod(mode)
    assert "chmod o= key" in str(error_of("file:key", folder=tmp_path))


def test_a_file_that_a_group_may_read_is_taken(tmp_path: Path) -> None:
    private(tmp_path / "key", "s3cret").chmod(0o440)
    assert found("file:key", folder=tmp_path) == "s3cret"


def test_where_a_container_engine_mounts_secrets_its_modes_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.config.secrets._ORCHESTRATED", (tmp_path.resolve(),))
    private(tmp_path / "key", "s3cret").chmod(0o444)
    assert found("file:key", folder=tmp_path) == "s3cret"


def test_what_is_no_secrets_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    private(tmp_path / "binary", b"\xff\xfe\x00")
    private(tmp_path / "large", "x" * 65537)
    private(tmp_path / "empty", "\n")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("binary", "large", "empty", "pipe", "missing", "~nobody-of-that-name/x", "."):
        assert name in str(error_of(f"file:{name}", folder=tmp_path))


def program(code: str) -> str:
    return f'cmd:{sys.executable} -c "{code}"'


def test_a_programs_output_is_the_secret_less_one_newline() -> None:
    assert found(program("print('s3cret')")) == "s3cret"


def test_a_program_gets_its_words_without_a_shell_and_nothing_to_read() -> None:
    code = "import sys; print(sys.argv[1] + sys.stdin.read())"
    assert found(program(code) + " '$HOME;`id`'") == "$HOME;`id`"


def test_a_program_runs_beside_the_configuration(tmp_path: Path) -> None:
    assert found(program("import os; print(os.getcwd())"), folder=tmp_path) == str(tmp_path.resolve())


def test_a_failing_program_is_told_by_name_and_status_never_by_what_it_said() -> None:
    code = "import sys; print('Zq4out'); sys.stderr.write('Zq4err'); sys.exit(7)"
    error = error_of(program(code) + " Zq4word")
    assert "ended with status 7" in str(error)
    assert "Zq4" not in str(error)


def test_a_program_that_is_not_there_is_named() -> None:
    assert "cmd:no-such-program can't be run" in str(error_of("cmd:no-such-program Zq4word"))


def test_a_program_that_asks_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    words = ["sh", "-c", "sleep 60 & echo $! > pid; wait"]
    started = time.monotonic()
    with pytest.raises(SecretError, match="took longer than 0 s"):
        commands.run(words, tmp_path, os.environ, timeout=0.3)
    assert time.monotonic() - started < 10
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not _runs(child):
            break
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class _Keyring:
    def get_password(self, service: str, name: str) -> str | None:
        if service == "locked":
            raise RuntimeError("Zq4canary")
        return {("harvester/prod", "flyt"): "s3cret"}.get((service, name))


def test_a_keyrings_entry_is_found_by_service_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", _Keyring())
    assert found("keyring:harvester/prod/flyt") == "s3cret"
    assert "keyring set harvester other" in str(error_of("keyring:harvester/other"))
    assert "Zq4canary" not in str(error_of("keyring:locked/flyt"))


def test_without_keyring_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "roster-harvester[keyring]" in str(error_of("keyring:a/b"))


def test_a_reference_is_looked_up_once_also_when_that_fails(tmp_path: Path) -> None:
    secrets = Secrets(folder=tmp_path)
    code = "import pathlib,sys; p=pathlib.Path('n'); p.write_text(p.read_text()+'x' if p.exists() else 'x')"
    for end, fails in (("; print('s3cret')", False), ("; sys.exit(1)", True)):
        (tmp_path / "n").unlink(missing_ok=True)
        for _ in range(3):
            try:
                assert secrets.resolve(parse_reference(program(code + end))).reveal() == "s3cret"
            except SecretError:
                assert fails
        assert (tmp_path / "n").read_text() == "x"


# --- scrubbing


def disguised(value: str) -> list[str]:
    pair = base64.b64encode(f"{quote_plus('ab')}:{quote_plus(value)}".encode()).decode()
    return [
        value,
        quote(value, safe=""),
        quote(value, safe="").lower() if value.islower() else quote(value, safe="-._~"),
        quote_plus(value),
        base64.b64encode(value.encode()).decode(),
        base64.b64encode(value.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(value.encode()).decode(),
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        repr(value),
        pair,
        *(base64.b64encode((before + ":" + value).encode()).decode() for before in ("i", "id", "idx")),
    ]


@pytest.mark.parametrize("value", [CANARY, "s3cr3t-canary", "eyJhbGciOi.J9.abc_-", "päßwörd€", "a%2Fb+c d"])
def test_a_live_secret_is_scrubbed_in_every_form_in_which_it_travels(value: str) -> None:
    secrets = Secrets()
    secrets.remember(Secret(value))
    for form in disguised(value):
        scrubbed = secrets.scrub(f"before {form} after")
        assert scrubbed.startswith("before ")
        assert scrubbed.endswith(" after")
        assert "***" in scrubbed
        # what base64 leaves of its neighbours is short of anything that could be undone
        assert len(scrubbed) <= len("before *** after") + 12, (form, scrubbed)
        assert value not in scrubbed


def test_what_is_resolved_is_scrubbed() -> None:
    secrets = Secrets(environ={"KEY": "s3cret"})
    secrets.resolve(parse_reference("env:KEY"))
    assert secrets.scrub("a s3cret b") == "a *** b"


def test_secrets_that_overlap_leave_nothing_of_either() -> None:
    secrets = Secrets()
    for value in ("abcdefgh", "xabcd", "abcd", "ghij-secret"):
        secrets.remember(Secret(value))
    assert secrets.scrub("abcd abcdefgh xabcdefghij-secret.abcdabcd") == "*** *** ***.***"


def test_values_shorter_than_four_characters_stay() -> None:
    secrets = Secrets()
    secrets.remember(Secret("abc"))
    secrets.remember(Secret(""))
    assert secrets.scrub("abcdef") == "abcdef"


def test_secrets_are_sought_side_by_side() -> None:
    both = threading.Barrier(2)

    class Slow(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            both.wait(timeout=20)  # nobody passes before the other is looking too
            return f"secret of {name}"

    secrets = Secrets(environ=Slow())
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(secrets.resolve, (SecretRef("env", "A"), SecretRef("env", "B"))))
    assert [secret.reveal() for secret in found] == ["secret of A", "secret of B"]


def test_one_reference_is_sought_once_however_many_threads_want_it() -> None:
    sought: list[str] = []

    class Counted(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            sought.append(name)
            time.sleep(0.05)
            return "secret"

    secrets = Secrets(environ=Counted())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(secrets.resolve, [SecretRef("env", "A")] * 8))
    assert sought == ["A"]
    assert {secret.reveal() for secret in found} == {"secret"}


def test_scrubbing_equals_the_plain_way_of_doing_it() -> None:
    rng = random.Random(5)
    for _ in range(200):
        values = ["".join(rng.choices("ab", k=rng.randint(4, 7))) for _ in range(3)]
        text = "".join(rng.choices("abc", k=40))
        scrubber = Scrubber()
        for value in values:
            scrubber.add(value)
        covered = {
            at + i
            for value in values
            for at in range(len(text))
            if text.startswith(value, at)
            for i in range(len(value))
        }
        left = "".join("\0" if i in covered else c for i, c in enumerate(text))
        assert scrubber.scrub(text, "***") == re.sub("\0+", "***", left)


def test_a_thousand_tokens_do_not_make_scrubbing_slow() -> None:
    secrets = Secrets()
    rng = random.Random(1)
    for _ in range(1000):
        secrets.remember(Secret("eyJhbGciOiJSUzI1NiJ9." + rng.randbytes(200).hex()))
    line = "page fetched, offset 300, 100 records " * 5
    started = time.perf_counter()
    for _ in range(100):
        assert secrets.scrub(line) == line
    assert (time.perf_counter() - started) / 100 < 0.002
