"""What an answer means, and how long to wait."""

from __future__ import annotations

import pytest

from harvester.errors import AuthError, ProtocolError, RefusedError, ThrottledError, UnreachableError
from harvester.http import messages
from harvester.http.messages import Reply
from harvester.http.retry import POLICY, Accept, Again, Judgement, Refuse, Renew, RetryBudget, judge, unusable
from harvester.pacing.signals import Signals, read


def answer(status: int, error: str = "", body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, 0.1, error)


def said(
    reply: Reply, *, attempt: int = 1, renewed: bool = False, jitter: float = 0.5, throttles: int = 0
) -> Judgement:
    signals = read(reply.headers, reply.status, 0.0)
    return judge(
        reply,
        attempt=attempt,
        renewed=renewed,
        jitter=jitter,
        signals=signals,
        throttles=throttles,
        where="bergen/users",
    )


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_success_is_accepted(status: int) -> None:
    assert said(answer(status)) == Accept()


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 522])
def test_what_may_pass_is_asked_again_until_the_last_attempt(status: int) -> None:
    assert isinstance(said(answer(status), attempt=5), Again)
    last = said(answer(status), attempt=6)
    assert isinstance(last, Refuse)
    assert isinstance(last.error, UnreachableError)
    assert last.error.status == status
    assert str(last.error).startswith(f"bergen/users: HTTP {status} after 6 attempts")


@pytest.mark.parametrize("error", [messages.REFUSED_CONNECTION, messages.SLOW_ANSWER, messages.UNTRUSTED])
def test_a_dead_wire_is_asked_again_and_its_cause_is_named(error: str) -> None:
    assert said(answer(0, error)) == Again(pytest.approx(0.05 if "timed" not in error else 0.5), error)
    last = said(answer(0, error), attempt=6)
    assert isinstance(last, Refuse)
    assert error in str(last.error)


def test_a_body_that_broke_off_is_no_success() -> None:
    assert isinstance(said(answer(200, messages.BROKE_OFF)), Again)


def test_an_answer_that_is_no_http_is_a_protocol_error_in_the_end() -> None:
    last = said(answer(0, messages.MALFORMED), attempt=6)

    assert isinstance(last, Refuse)
    assert isinstance(last.error, ProtocolError)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 422, 451, 501])
def test_a_definite_no_is_never_asked_again(status: int) -> None:
    no = said(answer(status))

    assert isinstance(no, Refuse)
    assert isinstance(no.error, RefusedError)
    assert no.error.status == status


def test_a_refusal_quotes_the_code_of_the_specification_and_nothing_else() -> None:
    body = b'{"imsx_description":"Kari Nordmann","imsx_CodeMinor":{"x":"invalid_filter_field"}}'
    no = said(answer(400, body=body))

    assert isinstance(no, Refuse)
    assert "HTTP 400 (invalid_filter_field)" in str(no.error)
    assert "Kari" not in str(no.error)


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://login.example:8443/in?session=s3cret", "to host login.example:8443"),
        ("https://user:s3cret@login.example/in", "to host login.example"),
        ("//login.example", "to host login.example"),
        ("/login?s3cret", "to host the same host"),
        ("", "HTTP 302: redirect refused"),
    ],
)
def test_a_redirect_is_refused_and_only_its_host_is_named(location: str, named: str) -> None:
    no = said(answer(302, location=location))

    assert isinstance(no, Refuse)
    assert named in str(no.error)
    assert "s3cret" not in str(no.error)


def test_a_401_renews_the_token_once() -> None:
    assert said(answer(401), attempt=4) == Renew()
    again = said(answer(401), renewed=True)
    assert isinstance(again, Refuse)
    assert isinstance(again.error, AuthError)


def test_a_429_spends_no_attempt_but_has_a_bound() -> None:
    assert said(answer(429), attempt=6) == Again(0.5, "HTTP 429, throttled", throttled=True)
    last = said(answer(429), throttles=29)
    assert isinstance(last, Refuse)
    assert isinstance(last.error, ThrottledError)


@pytest.mark.parametrize("status", [403, 503])
def test_a_refusal_that_says_when_to_come_back_is_a_throttle(status: int) -> None:
    verdict = said(answer(status, retry_after="58"))

    assert isinstance(verdict, Again)
    assert verdict.throttled


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 58.0), (0.5, 59.45), (1.0, 60.9)])
def test_retry_after_is_a_floor_with_a_little_jitter(jitter: float, wait: float) -> None:
    verdict = said(answer(429, retry_after="58"), jitter=jitter)

    assert isinstance(verdict, Again)
    assert verdict.after == pytest.approx(wait)


def test_a_retry_after_of_a_day_is_obeyed_for_an_hour() -> None:
    verdict = judge(answer(429), attempt=1, renewed=False, jitter=0.0, signals=Signals(retry_after=86400.0))

    assert isinstance(verdict, Again)
    assert verdict.after == 3600.0


@pytest.mark.parametrize(("attempt", "most"), [(1, 0.1), (2, 0.2), (5, 1.6)])
def test_waits_double_and_are_drawn_from_nothing_up(attempt: int, most: float) -> None:
    assert said(answer(500), attempt=attempt, jitter=0.0) == Again(0.0, "HTTP 500")
    assert said(answer(500), attempt=attempt, jitter=1.0) == Again(pytest.approx(most), "HTTP 500")


def test_no_wait_of_our_own_is_beyond_the_cap() -> None:
    assert said(answer(429), throttles=28, jitter=1.0) == Again(30.0, "HTTP 429, throttled", throttled=True)


def test_the_same_unusable_body_three_times_is_the_servers_last_word() -> None:
    html = ProtocolError("not JSON: HTML")

    assert isinstance(unusable(html, attempt=2, equal=2, jitter=0.5), Again)
    assert unusable(html, attempt=3, equal=3, jitter=0.5) == Refuse(html)
    assert unusable(html, attempt=6, equal=1, jitter=0.5) == Refuse(html)


def test_a_hiccup_of_all_pages_in_flight_is_survived_slowly() -> None:
    budget = RetryBudget()
    assert budget.stretch(0.05, 0.0, 0.5) == 0.05
    budget.succeeded()
    for _ in range(8):
        budget.sent(0.0, retry=False)
        budget.failed(503)

    assert budget.stretch(0.05, 1.0, 0.0) == POLICY.cap / 2
    assert budget.stretch(0.05, 1.0, 1.0) == POLICY.cap
    for _ in range(40):
        budget.succeeded()
    assert budget.stretch(0.05, 2.0, 0.5) == 0.05


def test_a_server_that_never_answered_is_soon_given_up() -> None:
    budget = RetryBudget()
    for _ in range(20):
        budget.failed(0)

    assert budget.stretch(0.05, 1.0, 0.5) == 0.05


def test_one_bad_record_spends_no_budget() -> None:
    budget = RetryBudget()
    for _ in range(20):
        budget.failed(500)

    assert not budget.spent(0.0)


def test_retries_are_slow_while_they_are_more_than_a_tenth() -> None:
    budget = RetryBudget()
    for i in range(60):
        budget.sent(i, retry=i % 2 == 0)
    assert not budget.spent(60.0)  # too few to tell
    for i in range(60, 110):
        budget.sent(i, retry=False)
    assert budget.spent(110.0)
    assert not budget.spent(240.0)
