"""Permit, proof, sending, judgement, and all of it again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from harvester.clock import SystemClock
from harvester.errors import (
    AuthError,
    CeilingError,
    ProtocolError,
    RefusedError,
    SinkError,
    ThrottledError,
    UnreachableError,
)
from harvester.events import Retried
from harvester.http import messages
from harvester.http.fetch import Fetcher, Tally
from harvester.http.limits import DOCUMENT
from harvester.http.messages import Reader, Reply, Request
from harvester.model import Pull
from tests import virtual

pytestmark = pytest.mark.anyio

PULL = Pull("flyt-oneroster", "flyt", "bergen", "users")
URL = "https://api.example/v1/users?limit=100&offset=300&access_token=s3cret"


@pytest.fixture
def anyio_backend() -> object:
    return virtual.BACKEND


@dataclass
class Stage:
    """Everything around a fetcher, played by hand."""

    answers: list[Any]
    refusable: bool = True
    sent: list[Request] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    held: int = 0
    proofs: int = 0
    slept_holding: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def fetcher(self) -> Fetcher:
        stage: Any = self
        return Fetcher(
            stage, stage, stage, stage, random.Random(1), observe=self.events.append, **self.options
        )

    @asynccontextmanager
    async def permit(self, tenant: str) -> Any:
        assert tenant == "bergen"
        self.held += 1
        said = len(self.answered)
        try:
            yield _Permit(self)
        finally:
            assert len(self.answered) <= said + 1
            self.held -= 1

    async def prove(self, method: str, url: str) -> Any:
        assert self.held
        self.proofs += 1
        return _Proof({"authorization": f"Bearer {self.proofs}"})

    def refused(self, proof: Any) -> bool:
        return self.refusable

    async def send(self, request: Request, feed: Reader | None = None) -> Reply:
        assert self.held
        self.sent.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if feed is not None and answer.status == 200:
            await feed(answer.body)
            return Reply(200, answer.headers, b"", answer.took)
        return answer

    def now(self) -> float:
        return SystemClock().now()

    def wall(self) -> float:
        return virtual.EPOCH

    async def sleep(self, seconds: float) -> None:
        self.slept_holding |= self.held > 0
        await anyio.sleep(seconds)


@dataclass
class _Permit:
    stage: Stage

    def answered(self, status: int, headers: Mapping[str, str], took: float) -> None:
        self.stage.answered.append(status)


@dataclass
class _Proof:
    headers: Mapping[str, str]


def answer(status: int, body: bytes = b"ok", error: str = "", **headers: str) -> Reply:
    return Reply(
        status, {name.replace("_", "-"): v for name, v in headers.items()}, body, 0.1, error, len(body)
    )


def body_of(reply: Reply) -> bytes:
    return reply.body


def no_html(reply: Reply) -> bytes:
    if reply.body.startswith(b"<"):
        raise ProtocolError("not JSON: HTML")
    return reply.body


async def test_an_answer_is_what_check_makes_of_it() -> None:
    stage = Stage([answer(200)])

    assert await stage.fetcher().get(PULL, URL, check=body_of, headers={"x": "y"}) == b"ok"
    assert stage.sent[0].url == URL
    assert stage.sent[0].headers == {"x": "y", "authorization": "Bearer 1"}
    assert stage.answered == [200]


async def test_whoever_waits_holds_no_permit() -> None:
    stage = Stage([answer(503), answer(0, error=messages.RESET), answer(429, retry_after="58"), answer(200)])

    await stage.fetcher().get(PULL, URL, check=body_of)

    assert not stage.slept_holding
    assert stage.answered == [503, 0, 429, 200]
    assert 58.0 <= stage.now() <= 63.0
    assert [(e.reason, e.status) for e in stage.events if isinstance(e, Retried)] == [
        ("HTTP 503", 503),
        ("connection reset", 0),
        ("HTTP 429, throttled", 429),
    ]


async def test_every_try_is_proved_anew() -> None:
    stage = Stage([answer(503), answer(200)])

    await stage.fetcher().get(PULL, URL, check=body_of)

    assert [request.headers["authorization"] for request in stage.sent] == ["Bearer 1", "Bearer 2"]


async def test_a_tally_counts_what_was_asked_and_what_the_server_said_of_its_clock() -> None:
    tally = Tally()
    stage = Stage(
        [
            answer(503, b"12345", date="Fri, 20 Nov 2020 01:00:00 GMT"),
            answer(429),
            answer(200, b"123", date="Fri, 20 Nov 2026 02:00:00 GMT", age="7"),
            answer(200, b"123", date="Fri, 20 Nov 2026 02:00:09 GMT", age="old"),
        ]
    )
    fetcher = stage.fetcher()
    await fetcher.get(PULL, URL, check=body_of, tally=tally)
    await fetcher.get(PULL, URL, check=body_of, tally=tally)

    assert (tally.requests, tally.retries, tally.throttled, tally.received) == (4, 2, 1, 13)
    assert tally.first_date == virtual.EPOCH + 7200
    assert tally.last_date == virtual.EPOCH + 7209
    assert tally.max_age == 7


async def test_six_attempts_are_enough() -> None:
    stage = Stage([answer(502)])

    with pytest.raises(
        UnreachableError, match=r"bergen/users \(users\?limit=100&offset=300\): HTTP 502 after 6"
    ) as caught:
        await stage.fetcher().get(PULL, URL, check=body_of)

    assert len(stage.sent) == 6
    assert "s3cret" not in str(caught.value)


async def test_the_caller_may_allow_fewer_attempts() -> None:
    stage = Stage([answer(500)])

    with pytest.raises(UnreachableError):
        await stage.fetcher().get(PULL, URL, check=body_of, attempts=2)

    assert len(stage.sent) == 2


async def test_throttles_spend_no_attempts() -> None:
    stage = Stage([*[answer(429)] * 12, *[answer(500)] * 5, answer(200)])

    assert await stage.fetcher().get(PULL, URL, check=body_of) == b"ok"


async def test_a_token_is_renewed_once_and_that_spends_no_attempt() -> None:
    stage = Stage([*[answer(503)] * 5, answer(401), answer(200)])
    assert await stage.fetcher().get(PULL, URL, check=body_of) == b"ok"

    stage = Stage([answer(401)])
    with pytest.raises(AuthError, match="also with a new token"):
        await stage.fetcher().get(PULL, URL, check=body_of)
    assert len(stage.sent) == 2


async def test_a_401_for_a_proof_that_can_not_differ_is_final() -> None:
    stage = Stage([answer(401)], refusable=False)

    with pytest.raises(AuthError):
        await stage.fetcher().get(PULL, URL, check=body_of)

    assert len(stage.sent) == 1


async def test_an_unusable_answer_is_asked_for_again() -> None:
    stage = Stage([answer(200, b"<html>1"), answer(200, b"<html>2"), answer(200)])

    assert await stage.fetcher().get(PULL, URL, check=no_html) == b"ok"


async def test_three_equal_unusable_answers_are_final() -> None:
    stage = Stage([answer(200, b"<html>")])

    with pytest.raises(ProtocolError, match=r"bergen/users .*HTML"):
        await stage.fetcher().get(PULL, URL, check=no_html)

    assert len(stage.sent) == 3


async def test_a_definite_no_is_final() -> None:
    stage = Stage([answer(404)])

    with pytest.raises(RefusedError):
        await stage.fetcher().get(PULL, URL, check=body_of)

    assert len(stage.sent) == 1


async def test_an_answer_too_large_is_final_and_one_too_slow_is_not() -> None:
    stage = Stage([CeilingError("too large")])
    with pytest.raises(CeilingError, match=r"bergen/users .*too large"):
        await stage.fetcher().get(PULL, URL, check=body_of)
    assert (len(stage.sent), stage.held, stage.answered) == (1, 0, [0])

    slow = CeilingError("too slow")
    slow.passing = True
    stage = Stage([slow, slow, slow, slow, answer(200)])
    assert await stage.fetcher().get(PULL, URL, check=body_of) == b"ok"

    stage = Stage([slow])
    with pytest.raises(CeilingError, match="too slow"):
        await stage.fetcher().get(PULL, URL, check=body_of)
    assert len(stage.sent) == 6


async def test_each_try_of_a_stream_has_a_reader_of_its_own() -> None:
    readers: list[list[bytes]] = []

    async def begin() -> Callable[[bytes], Any]:
        chunks: list[bytes] = []
        readers.append(chunks)

        async def read(chunk: bytes) -> None:
            chunks.append(chunk)
            if chunk == b"<!DOCTYPE":
                raise ProtocolError("a DOCTYPE")

        return read

    stage = Stage([answer(200, b"<!DOCTYPE"), answer(503), answer(200, b"<enterprise/>")])
    reply = await stage.fetcher().get(PULL, URL, check=lambda r: r, feed=begin, ceiling=DOCUMENT)

    assert reply.body == b""
    assert readers == [[b"<!DOCTYPE"], [], [b"<enterprise/>"]]
    assert stage.answered == [200, 503, 200]


async def test_a_full_disk_is_not_the_servers_fault() -> None:
    async def begin() -> Callable[[bytes], Any]:
        async def read(chunk: bytes) -> None:
            raise SinkError("disk full")

        return read

    stage = Stage([answer(200)])
    with pytest.raises(SinkError):
        await stage.fetcher().get(PULL, URL, check=body_of, feed=begin)
    assert len(stage.sent) == 1


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    stage = Stage([answer(429, retry_after="600")], options={"deadline": 300.0})

    with pytest.raises(ThrottledError, match="longer than the run may take"):
        await stage.fetcher().get(PULL, URL, check=body_of)

    assert stage.now() == 0.0


async def test_a_hiccup_of_all_pages_at_once_fails_none_of_them() -> None:
    stage = Stage([*[answer(503)] * 32, answer(200)])
    fetcher, got = stage.fetcher(), []

    async def page() -> None:
        got.append(await fetcher.get(PULL, URL, check=body_of))

    async with anyio.create_task_group() as group:
        for _ in range(32):
            group.start_soon(page)

    assert len(got) == 32
    assert stage.now() < 35.0
