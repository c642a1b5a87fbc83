"""One token a grant, in time, from one request, whatever happens around it."""

from __future__ import annotations

import asyncio
import traceback

import anyio
import pytest

from harvester.config.secrets import Secrets
from harvester.errors import AuthError, CeilingError, ProtocolError, ThrottledError, UnreachableError
from harvester.http.messages import Reply
from tests import virtual
from tests.identity import Endpoint, cache, grant, granted, numbered, refused, unheard

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> object:
    return virtual.BACKEND


def others() -> list[str]:
    """Names of the cache's tasks."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("token for ")]


# --- one request in flight


async def test_a_hundred_who_ask_at_once_share_one_request() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        found = await asyncio.gather(*(tokens.get(grant(name=f"tenant t{n}")) for n in range(100)))
    assert {token.secret.reveal() for token in found} == {"token-0"}
    assert len(endpoint.posts) == 1


async def test_tenants_have_tokens_of_their_own_and_are_asked_for_at_once() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        found = await asyncio.gather(*(tokens.get(grant(f"tenant-{n}")) for n in range(5)))
    assert len({token.secret.reveal() for token in found}) == 5
    assert endpoint.most_flying == 5


async def test_tenants_whose_id_is_not_sent_share_a_token() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        for n in range(5):
            await tokens.get(grant(f"tenant-{n}", tenant_in="none"))
    assert len(endpoint.posts) == 1


async def test_the_first_who_asks_may_be_cancelled_and_the_others_get_their_token() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        first = asyncio.create_task(tokens.get(grant()))
        await asyncio.sleep(0.1)
        rest = [asyncio.create_task(tokens.get(grant())) for _ in range(3)]
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert {(await task).secret.reveal() for task in rest} == {"token-0"}
    assert len(endpoint.posts) == 1


async def test_all_who_ask_may_be_cancelled_and_the_next_one_finds_the_token() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        with anyio.move_on_after(0.5):
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(tokens.get, grant())
        await asyncio.sleep(1)
        assert (await tokens.get(grant())).secret.reveal() == "token-0"
    assert len(endpoint.posts) == 1


# --- renewal before the end


async def test_a_token_is_renewed_before_its_end_while_the_old_one_is_served() -> None:
    endpoint = numbered(3600)
    endpoint.takes = 20.0
    clock = virtual.VirtualClock()
    async with cache(endpoint) as tokens:
        old = await tokens.get(grant())
        assert 360 <= old.expires - old.renew_at <= 450
        await asyncio.sleep(old.renew_at - clock.now() - 1)
        assert await tokens.get(grant()) is old
        assert len(endpoint.posts) == 1
        await asyncio.sleep(1.5)
        began = clock.now()
        assert [await tokens.get(grant()) for _ in range(50)] == [old] * 50
        assert clock.now() == began
        await asyncio.sleep(21)
        assert (await tokens.get(grant())).secret.reveal() == "token-1"
    assert len(endpoint.posts) == 2


async def test_a_token_at_its_end_is_waited_for_and_not_served() -> None:
    endpoint = numbered(100)
    async with cache(endpoint) as tokens:
        old = await tokens.get(grant())
        await asyncio.sleep(96)
        new = await tokens.get(grant())
        assert (old.secret.reveal(), new.secret.reveal()) == ("token-0", "token-1")


@pytest.mark.parametrize("life", [30, 60, 300, 3600, 86400])
async def test_a_token_serves_for_a_good_part_of_its_life(life: int) -> None:
    async with cache(numbered(life)) as tokens:
        token = await tokens.get(grant())
        served = token.renew_at - token.since
        assert served >= 0.37 * life
        assert served <= life - min(60, 0.5 * life)
        assert token.renew_at < token.good_until < token.expires


async def test_tokens_of_one_moment_fall_due_at_different_moments() -> None:
    async with cache(numbered()) as tokens:
        due = {round((await tokens.get(grant(f"t{n}"))).expires) for n in range(3)}
        assert len(due) == 3
        ahead = {
            round(token.expires - token.renew_at)
            for token in [await tokens.get(grant(f"t{n}")) for n in range(40)]
        }
        assert len(ahead) > 20


async def test_the_time_that_the_answer_took_counts_as_lived() -> None:
    body = granted("slow", 100).body
    async with cache(Endpoint([Reply(200, {}, body, 40.0)], takes=40.0)) as tokens:
        assert (await tokens.get(grant())).expires == pytest.approx(100)


async def test_a_renewal_that_fails_is_tried_again_later_and_nobody_notices() -> None:
    endpoint = numbered(3600)
    good = endpoint.answers[0]
    endpoint.answers = [good, *[refused(503)] * 6, good]
    clock = virtual.VirtualClock()
    async with cache(endpoint) as tokens:
        old = await tokens.get(grant())
        await asyncio.sleep(old.renew_at - clock.now())
        for _ in range(120):
            assert (await tokens.get(grant())).secret.reveal() in ("token-0", "token-7")
            await asyncio.sleep(1)
        assert (await tokens.get(grant())).secret.reveal() == "token-7"
    assert len(endpoint.posts) == 8


async def test_a_renewal_that_is_refused_is_not_repeated_and_the_old_token_serves_to_its_end() -> None:
    endpoint = numbered(3600)
    endpoint.answers = [endpoint.answers[0], refused(401, "invalid_client")]
    clock = virtual.VirtualClock()
    async with cache(endpoint) as tokens:
        old = await tokens.get(grant())
        await asyncio.sleep(old.renew_at - clock.now())
        while clock.now() < old.good_until - 1:
            assert await tokens.get(grant()) is old
            await asyncio.sleep(1)
        await asyncio.sleep(2)
        with pytest.raises(AuthError, match="invalid_client"):
            await tokens.get(grant())
    assert len(endpoint.posts) == 2


# --- tokens that the API refuses


async def test_a_refused_token_is_replaced() -> None:
    async with cache(numbered()) as tokens:
        old = await tokens.get(grant())
        tokens.reject(grant(), old)
        assert (await tokens.get(grant())).secret.reveal() == "token-1"


async def test_a_refused_token_is_not_taken_from_a_newer_one() -> None:
    endpoint = numbered()
    async with cache(endpoint) as tokens:
        old = await tokens.get(grant())
        tokens.reject(grant(), old)
        new = await tokens.get(grant())
        for _ in range(64):  # the other requests that had flown with the old one
            tokens.reject(grant(), old)
        assert await tokens.get(grant()) is new
    assert len(endpoint.posts) == 2


async def test_a_token_refused_while_its_renewal_flies_is_waited_for_and_not_asked_for_again() -> None:
    endpoint = numbered()
    clock = virtual.VirtualClock()
    async with cache(endpoint) as tokens:
        old = await tokens.get(grant())
        await asyncio.sleep(old.renew_at - clock.now())
        await tokens.get(grant())
        tokens.reject(grant(), old)
        assert (await tokens.get(grant())).secret.reveal() == "token-1"
    assert len(endpoint.posts) == 2


async def test_one_tenants_refused_token_leaves_the_others_alone() -> None:
    async with cache(numbered()) as tokens:
        ours, theirs = await tokens.get(grant("a")), await tokens.get(grant("b"))
        tokens.reject(grant("a"), ours)
        tokens.reject(grant("b"), ours)
        assert await tokens.get(grant("b")) is theirs


# --- no


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused(400, "invalid_client"), 'token_auth = "client_secret_post"'),
        (refused(401, "invalid_client"), "HTTP 401 (invalid_client)"),
        (refused(400, "invalid_scope"), "scope"),
        (refused(400, "invalid_request"), "tenant_in"),
        (refused(400, "unauthorized_client"), "Ask the provider"),
        (refused(403), "client_secret"),
        (refused(422), 'token_auth = "client_secret_post"'),
        (refused(400, "Zq4canary"), "HTTP 400."),
        (refused(404), "Check token_url"),
        (refused(405), "Check token_url"),
        (refused(302, location="https://login.example/?session=Zq4canary"), "redirects"),
        (refused(200, "invalid_client"), "invalid_client"),
    ],
)
async def test_a_refusal_is_remembered_and_says_what_to_do_and_nothing_of_the_body(
    reply: Reply, expected: str
) -> None:
    endpoint = Endpoint([reply])
    async with cache(endpoint) as tokens:
        for name in ("tenant bergen", "tenant oslo", "tenant oslo"):
            with pytest.raises(AuthError) as caught:
                await tokens.get(grant(name=name))
            assert expected in str(caught.value)
            assert str(caught.value).startswith(f"{name}, token endpoint: ")
            assert "Zq4" not in "".join(traceback.format_exception(caught.value))
    assert len(endpoint.posts) == 1


async def test_a_hundred_who_wait_for_a_refusal_are_told_each_by_their_own_name() -> None:
    async with cache(Endpoint([refused(400, "invalid_client")])) as tokens:
        asked = [tokens.get(grant(name=f"tenant t{n}")) for n in range(100)]
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert len({id(error) for error in told}) == 100
    assert all(isinstance(error, AuthError) and f"tenant t{n}," in str(error) for n, error in enumerate(told))


async def test_one_tenants_refusal_is_not_anothers() -> None:
    endpoint = Endpoint([refused(400, "unauthorized_client"), granted("b")])
    async with cache(endpoint) as tokens:
        with pytest.raises(AuthError):
            await tokens.get(grant("a"))
        assert (await tokens.get(grant("b"))).secret.reveal() == "b"


# --- not now


@pytest.mark.parametrize(
    "reply",
    [
        unheard(),
        unheard("timed out while reading"),
        refused(500),
        refused(503),
        refused(408),
        refused(429),
        refused(429, **{"retry-after": "2"}),
        refused(403, **{"retry-after": "2"}),
        refused(400, "temporarily_unavailable"),
        refused(200, "server_error"),
        Reply(200, {}, b'{"access_tok', 0.0, "body broke off"),
        Reply(200, {}, b"<html>Zq4canary", 0.0),
    ],
)
async def test_what_may_pass_is_tried_again(reply: Reply) -> None:
    endpoint = Endpoint([reply, reply, granted("at-last")])
    async with cache(endpoint) as tokens:
        assert (await tokens.get(grant())).secret.reveal() == "at-last"
    assert len(endpoint.posts) == 3


async def test_an_endpoint_that_stays_away_is_given_up_after_six_tries_and_asked_again_later() -> None:
    endpoint = Endpoint([*[refused(503)] * 6, granted("back")])
    async with cache(endpoint) as tokens:
        with pytest.raises(UnreachableError) as caught:
            await tokens.get(grant())
        assert caught.value.status == 503
        assert len(endpoint.posts) == 6
        assert (await tokens.get(grant())).secret.reveal() == "back"


async def test_an_endpoint_that_throttles_without_end_is_given_up() -> None:
    endpoint = Endpoint([refused(429, **{"retry-after": "10"})])
    async with cache(endpoint) as tokens:
        with pytest.raises(ThrottledError):
            await tokens.get(grant())
    assert len(endpoint.posts) == 6


async def test_retry_after_is_obeyed_as_seconds_and_as_a_date() -> None:
    clock = virtual.VirtualClock()
    date = "Fri, 20 Nov 2026 00:05:00 GMT"  # 300 s after the virtual clock's beginning
    answers = [refused(429, **{"retry-after": "120"}), refused(503, **{"retry-after": date}), granted("x")]
    endpoint = Endpoint(list(answers))
    async with cache(endpoint) as tokens:
        await tokens.get(grant())
        assert clock.now() < 330
    assert endpoint.at[1] >= 121
    assert endpoint.at[2] >= 300


async def test_tries_are_spread_by_the_dice() -> None:
    class Dice:
        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    spans = []
    for value in (0.0, 0.99):
        endpoint = Endpoint([refused(503), refused(503), granted("x")], takes=0.0)
        began = virtual.VirtualClock().now()
        async with cache(endpoint, rng=Dice(value)) as tokens:
            await tokens.get(grant())
        spans.append(endpoint.at[-1] - began)
    assert spans[0] == 0.0
    assert 0.25 < spans[1] < 0.35


async def test_a_page_in_place_of_a_token_that_comes_three_times_alike_is_the_last_word_for_now() -> None:
    endpoint = Endpoint([Reply(200, {}, b"<html>Zq4canary", 0.0)])
    async with cache(endpoint) as tokens:
        with pytest.raises(ProtocolError) as caught:
            await tokens.get(grant())
    assert len(endpoint.posts) == 3
    assert "Zq4" not in str(caught.value)


async def test_our_own_errors_on_the_way_reach_whoever_waits() -> None:
    endpoint = Endpoint([CeilingError("an answer beyond 1 MB"), granted("x")])
    async with cache(endpoint) as tokens:
        with pytest.raises(CeilingError):
            await tokens.get(grant())
        assert (await tokens.get(grant())).secret.reveal() == "x"


async def test_a_bug_on_the_way_reaches_whoever_waits_and_breaks_nothing() -> None:
    endpoint = Endpoint([ZeroDivisionError(), granted("x")])
    async with cache(endpoint) as tokens:
        with pytest.raises(ZeroDivisionError):
            await tokens.get(grant())
        assert (await tokens.get(grant())).secret.reveal() == "x"


# --- the end


async def test_closing_ends_what_flies_and_tells_those_who_wait() -> None:
    endpoint = Endpoint([granted("never")], takes=1e6)
    tokens = cache(endpoint)
    waiting = [asyncio.create_task(tokens.get(grant(f"t{n}"))) for n in range(3)]
    await asyncio.sleep(1)
    assert len(others()) == 3
    await tokens.aclose()
    for task in waiting:
        with pytest.raises(UnreachableError, match="the run is ending"):
            await task
    assert not others()
    assert endpoint.flying == 0
    with pytest.raises(UnreachableError, match="the run is ending"):
        await tokens.get(grant())
    await tokens.aclose()


async def test_closing_while_being_cancelled_leaves_nothing_running() -> None:
    endpoint = Endpoint([granted("never")], takes=1e6)
    with anyio.move_on_after(1):
        async with cache(endpoint) as tokens:
            await tokens.get(grant())
    assert not others()


async def test_nothing_runs_between_requests() -> None:
    async with cache(numbered()) as tokens:
        await tokens.get(grant())
        await asyncio.sleep(0)
        assert not others()


async def test_every_token_and_the_basic_header_are_scrubbed_from_logs() -> None:
    secrets = Secrets(environ={})
    endpoint = numbered()
    async with cache(endpoint, secrets=secrets) as tokens:
        token = await tokens.get(grant())
    sent = endpoint.posts[0][1]["Authorization"].removeprefix("Basic ")
    assert secrets.scrub(f"{token.secret.reveal()} {sent}") == "*** ***"
    assert "token-0" not in f"{token!r} {token}"
