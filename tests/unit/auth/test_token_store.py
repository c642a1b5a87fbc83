"""Tokens outlive a run on disk, seen by nobody else, and never where that could do harm."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from harvester.auth.token_store import Kept, TokenStore
from harvester.config.secrets import Secret, Secrets
from harvester.events import Notice
from tests import virtual
from tests.identity import Endpoint, cache, grant, granted, numbered, refused

pytestmark = pytest.mark.anyio
WALL = virtual.EPOCH


@pytest.fixture
def anyio_backend() -> object:
    return virtual.BACKEND


def kept(token: str = "tok", since: float = WALL - 60, until: float = WALL + 3600) -> Kept:
    return Kept(Secret(token), since, until)


def nothing_in(folder: Path) -> bool:
    return not list(folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_next_run_takes_up_the_last_ones_token(tmp_path: Path) -> None:
    async with cache(numbered(), store=TokenStore(tmp_path)) as tokens:
        first = await tokens.get(grant())
    secrets, endpoint = Secrets(environ={}), numbered()
    async with cache(endpoint, store=TokenStore(tmp_path), secrets=secrets) as tokens:
        again = await tokens.get(grant())
        assert again.secret == first.secret
        assert again.expires == pytest.approx(first.expires)
    assert not endpoint.posts
    assert secrets.scrub("token-0") == "***"


async def test_a_kept_token_is_renewed_when_it_is_due(tmp_path: Path) -> None:
    async with cache(numbered(), store=TokenStore(tmp_path)) as tokens:
        await tokens.get(grant())
    await asyncio.sleep(3000)
    endpoint = Endpoint([granted("new")])
    async with cache(endpoint, store=TokenStore(tmp_path)) as tokens:
        assert (await tokens.get(grant())).secret.reveal() == "token-0"
        await asyncio.sleep(560)
        await tokens.get(grant())
        await asyncio.sleep(5)
        assert (await tokens.get(grant())).secret.reveal() == "new"


async def test_tokens_that_this_run_did_not_need_stay(tmp_path: Path) -> None:
    for tenant in ("a", "b"):
        async with cache(Endpoint([granted(f"of-{tenant}")]), store=TokenStore(tmp_path)) as tokens:
            await tokens.get(grant(tenant))
    endpoint = numbered()
    async with cache(endpoint, store=TokenStore(tmp_path)) as tokens:
        for tenant in ("a", "b"):
            assert (await tokens.get(grant(tenant))).secret.reveal() == f"of-{tenant}"


async def test_a_token_that_the_api_refused_is_not_kept(tmp_path: Path) -> None:
    async with cache(numbered(), store=TokenStore(tmp_path)) as tokens:
        await tokens.get(grant())
    async with cache(Endpoint([refused(400)]), store=TokenStore(tmp_path)) as tokens:
        tokens.reject(grant(), await tokens.get(grant()))
    assert TokenStore(tmp_path).load(WALL) == {}


async def test_a_token_is_found_only_with_the_secret_that_it_was_asked_for_with(tmp_path: Path) -> None:
    async with cache(numbered(), store=TokenStore(tmp_path)) as tokens:
        await tokens.get(grant())
    endpoint = Endpoint([granted("other")])
    replaced = grant()
    object.__setattr__(replaced, "client_secret", Secret("rotated"))
    async with cache(endpoint, store=TokenStore(tmp_path)) as tokens:
        assert (await tokens.get(replaced)).secret.reveal() == "other"


async def test_without_a_store_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with cache(numbered()) as tokens:
        await tokens.get(grant())
    assert nothing_in(tmp_path)


async def test_a_run_that_needed_no_token_writes_nothing(tmp_path: Path) -> None:
    async with cache(numbered(), store=TokenStore(tmp_path)):
        pass
    assert nothing_in(tmp_path)


# --- the file


def test_the_file_and_its_folder_are_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    previous = os.umask(0)
    try:
        TokenStore(folder).save({"k": kept()}, WALL)
    finally:
        os.umask(previous)
    assert mode(folder) == 0o700
    assert mode(folder / "tokens.json") == 0o600
    assert [path.name for path in folder.iterdir()] == ["tokens.json"]


def test_a_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    TokenStore(tmp_path).save({"k": kept()}, WALL)
    assert mode(tmp_path) == 0o700


def test_the_file_names_no_client_and_no_tenant(tmp_path: Path) -> None:
    asked = grant("aa75-tenant")
    TokenStore(tmp_path).save({asked.key: kept()}, WALL)
    text = (tmp_path / "tokens.json").read_text()
    assert not any(name in text for name in ("aa75", "bergen", "ck", "identity.example", "Zq4"))


def test_what_a_killed_run_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "tokens.json.0badcafe").write_text("half")
    TokenStore(tmp_path).save({"k": kept()}, WALL)
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.json"]


@pytest.mark.parametrize(
    "entry",
    [
        kept(until=WALL - 1),
        kept(until=WALL + 60),  # hardly worth using
        kept(until=WALL + 90000),  # longer than any token lives: the clock was set back
        kept(since=WALL + 1000, until=WALL + 3600),  # from the future: the same
        kept(until=float("inf")),
        kept(until=float("nan")),
    ],
)
def test_a_token_without_a_believable_life_is_dropped(tmp_path: Path, entry: Kept) -> None:
    store = TokenStore(tmp_path)
    store.save({"good": kept(), "bad": entry}, WALL)
    assert set(store.load(WALL)) == {"good"}
    document = orjson.loads((tmp_path / "tokens.json").read_bytes())
    assert set(document["tokens"]) == {"good"}
    document["tokens"]["bad"] = [entry.secret.reveal(), entry.since, entry.until]
    write(tmp_path, orjson.dumps(document))
    assert set(store.load(WALL)) == {"good"}


def write(folder: Path, data: bytes) -> None:
    path = folder / "tokens.json"
    path.write_bytes(data)
    path.chmod(0o600)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        b'{"version": 2, "tokens": {}}',
        b'{"version": 1, "tokens": []}',
        b'{"version": 1, "tokens": {"k": null}}',
        b'{"version": 1, "tokens": {"k": ["tok", "x", 5]}}',
        b'{"version": 1, "tokens": {"k": ["tok", true, 1e999]}}',
        b'{"version": 1, "tokens": {"k": {"token": "tok"}}}',
        orjson.dumps({"version": 1, "tokens": {"k": ["a\r\nX: y", WALL - 1, WALL + 3600]}}),
        orjson.dumps({"version": 1, "tokens": {"k": ["", WALL - 1, WALL + 3600]}}),
        orjson.dumps({"version": 1, "tokens": {"k": ["x" * 20000, WALL - 1, WALL + 3600]}}),
    ],
)
async def test_a_spoilt_file_is_ignored_and_written_anew(tmp_path: Path, document: bytes) -> None:
    write(tmp_path, document)
    async with cache(numbered(), store=TokenStore(tmp_path)) as tokens:
        assert (await tokens.get(grant())).secret.reveal() == "token-0"
    assert set(TokenStore(tmp_path).load(WALL)) == {grant().key}


def test_a_file_that_others_could_touch_or_that_is_a_link_is_not_believed(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save({"k": kept()}, WALL)
    path = tmp_path / "tokens.json"
    assert store.load(WALL)
    path.chmod(0o640)
    assert not store.load(WALL)
    path.chmod(0o600)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to("elsewhere")
    assert not store.load(WALL)
    path.unlink()
    os.mkfifo(path, 0o600)
    assert not store.load(WALL)


def test_a_link_in_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "tokens.json").symlink_to("elsewhere")
    TokenStore(tmp_path).save({"k": kept()}, WALL)
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert set(TokenStore(tmp_path).load(WALL)) == {"k"}


async def test_a_disk_that_fails_costs_no_run(tmp_path: Path) -> None:
    told: list[Any] = []
    (tmp_path / "state").write_text("a file where the folder should be")
    async with cache(numbered(), store=TokenStore(tmp_path / "state", told.append)) as tokens:
        await tokens.get(grant())
    assert [type(event) for event in told] == [Notice]
    assert told[0].where == "state.token_cache"
