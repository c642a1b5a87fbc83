"""What a provider's answers do to our pace: obedience, and what is learned."""

from __future__ import annotations

import pytest

from harvester.model import Limits
from harvester.pacing.learning import Learned, LearningPolicy
from harvester.pacing.policy import Sent
from harvester.pacing.signals import NOTHING, Signals

REFUSED = Signals(throttled=True)


def policy(rate: float | None = None, concurrency: int | None = None, jitter: float = 0.0) -> LearningPolicy:
    return LearningPolicy(Limits(rate=rate, concurrency=concurrency), jitter=lambda: jitter)


def after(seconds: float) -> Signals:
    return Signals(retry_after=seconds, throttled=True)


def refuse(one: LearningPolicy, now: float, signals: Signals) -> Sent:
    """A request that goes at `now` and is refused in the same moment."""
    sent = one.sent(now, 1)
    one.answered(now, sent, 429, signals, 0.0)
    return sent


def serve(one: LearningPolicy, now: float, *, seconds: float, rate: float) -> None:
    """Answers without a refusal, evenly."""
    for number in range(int(seconds * rate)):
        moment = now + number / rate
        one.answered(moment, one.sent(moment, 1), 200, NOTHING, 0.1)


def test_the_declared_rate_is_kept() -> None:
    one = policy(rate=20.0)
    one.sent(1.0, 1)
    assert one.may_send(1.0, 1) == pytest.approx(0.03)  # 1/20 s, less what a late timer may catch up


def test_the_declared_concurrency_is_kept() -> None:
    one = policy(concurrency=2)
    assert one.may_send(0.0, 1) == 0.0
    assert one.may_send(0.0, 2) is None


def test_with_nothing_declared_a_pull_s_requests_go_at_once_and_no_rate_is_kept() -> None:
    standing = policy().standing(0.0)
    assert (standing.rate, standing.concurrency, standing.gate_until) == (None, 8, None)
    assert policy(concurrency=32).standing(0.0).concurrency == 32


def test_retry_after_shuts_the_gate_for_everybody() -> None:
    one = policy()
    refuse(one, 10.0, after(30.0))
    assert one.may_send(10.0, 0) == pytest.approx(30.0)
    assert one.standing(10.0).gate_until == pytest.approx(40.0)


def test_the_gate_stays_shut_a_little_longer_by_chance_never_shorter() -> None:
    one = policy(jitter=0.999)
    refuse(one, 0.0, after(100.0))
    assert 100.0 < (one.may_send(0.0, 0) or 0.0) <= 103.0


def test_after_the_gate_one_trial_goes_first() -> None:
    one = policy()
    refuse(one, 0.0, after(30.0))
    assert one.may_send(30.0, 0) == 0.0
    trial = one.sent(30.0, 1)
    assert trial.trial
    assert one.may_send(31.0, 1) is None
    one.answered(31.0, trial, 200, NOTHING, 1.0)
    assert one.may_send(35.0, 0) == 0.0
    assert not one.sent(35.0, 1).trial


def test_a_trial_that_was_given_up_is_made_by_another() -> None:
    one = policy()
    refuse(one, 0.0, after(30.0))
    one.forgotten(one.sent(30.0, 1))
    assert one.may_send(35.0, 0) == 0.0
    assert one.sent(35.0, 1).trial


def test_a_refused_trial_shuts_the_gate_for_longer_without_another_cut() -> None:
    one, now, pauses = policy(rate=10.0, jitter=1.0), 0.0, []
    refuse(one, now, after(0.5))
    pace = one.standing(now).rate
    for _ in range(6):
        wait = one.may_send(now, 0)
        assert wait is not None
        pauses.append(round(wait, 2))
        now += wait
        refuse(one, now, REFUSED)
    assert pauses == [0.52, 2, 4, 8, 16, 16]
    assert (one.standing(now).rate or 0.0) >= (pace or 0.0)


def test_a_server_that_always_says_one_second_is_not_asked_every_second() -> None:
    one, now = policy(jitter=1.0), 0.0
    for _ in range(5):
        refuse(one, now, after(1.0))
        now += one.may_send(now, 0) or 0.0
    assert one.may_send(now, 0) == 0.0
    refuse(one, now, after(1.0))
    assert one.may_send(now, 0) == pytest.approx(16.0)


def test_a_refusal_without_a_time_is_given_a_breath() -> None:
    one = policy(rate=100.0)
    refuse(one, 5.0, REFUSED)
    assert 0.0 < (one.may_send(5.0, 0) or 0.0) <= 0.3
    assert one.may_send(5.31, 0) == 0.0
    assert not one.sent(5.31, 1).trial


def test_a_second_refusal_soon_after_shuts_the_gate_for_a_second() -> None:
    one = policy(rate=100.0, jitter=1.0)
    refuse(one, 5.0, REFUSED)
    refuse(one, 6.0, REFUSED)
    assert one.may_send(6.0, 0) == pytest.approx(1.0)
    assert one.sent(7.0, 1).trial


def test_refusals_of_requests_sent_before_the_cut_are_echoes() -> None:
    one = policy(rate=100.0)
    flights = [one.sent(1.0 + n / 100, n + 1) for n in range(10)]
    for flight in flights:
        one.answered(2.0, flight, 429, REFUSED, 1.0)
    rate = one.standing(2.0).rate
    assert rate == pytest.approx(45.0)
    assert (one.may_send(2.0, 0) or 0.0) <= 0.3


def test_but_the_time_that_an_echo_names_is_obeyed() -> None:
    one = policy(rate=100.0)
    first, second = one.sent(1.0, 1), one.sent(1.01, 2)
    one.answered(2.0, first, 429, REFUSED, 1.0)
    one.answered(2.0, second, 429, after(20.0), 1.0)
    assert one.may_send(2.0, 0) == pytest.approx(20.0)


def test_a_shorter_time_named_later_does_not_open_the_gate() -> None:
    one = policy(rate=100.0)
    first, second = one.sent(1.0, 1), one.sent(1.01, 2)
    one.answered(2.0, first, 429, after(30.0), 1.0)
    one.answered(2.0, second, 429, after(5.0), 1.0)
    assert one.may_send(2.0, 0) == pytest.approx(30.0)


def test_the_pace_comes_back_in_a_period_then_probes_beyond_up_to_what_was_declared() -> None:
    one = policy(rate=10.0)
    refuse(one, 0.0, REFUSED)
    rates = [one.standing(float(now)).rate or 0.0 for now in range(0, 60, 3)]
    assert rates[0] == pytest.approx(0.9 * 5.0)
    assert rates[4] == pytest.approx(5.0)  # a period of 12 s, as nothing was measured yet
    assert rates == sorted(rates)
    serve(one, 60.0, seconds=60.0, rate=10.0)
    assert one.standing(120.0).rate == 10.0


def test_with_no_rate_declared_a_refusal_sets_one_below_what_was_answered() -> None:
    one = policy()
    serve(one, 0.0, seconds=10.0, rate=40.0)
    refuse(one, 10.0, REFUSED)
    assert one.standing(10.0).rate == pytest.approx(36.0, rel=0.05)


def test_a_first_answer_that_is_a_refusal_does_not_stop_us_for_good() -> None:
    one = policy()
    refuse(one, 0.0, REFUSED)
    assert one.standing(0.0).rate == pytest.approx(0.9 * 8.0)


def test_what_was_accepted_between_two_refusals_is_the_rate() -> None:
    one, now = policy(), 0.0
    for _ in range(6):
        serve(one, now, seconds=20.0, rate=25.0)
        now += 20.0
        refuse(one, now, REFUSED)
    assert one.learned.rate == pytest.approx(25.0, rel=0.03)


def test_what_was_learned_begins_the_next_night_a_little_slower() -> None:
    one = LearningPolicy(Limits(), jitter=lambda: 0.0, known=Learned(rate=50.0, refused_at=20))
    assert one.standing(0.0).rate == pytest.approx(45.0)
    assert one.standing(0.0).concurrency == 8
    serve(one, 0.0, seconds=60.0, rate=50.0)
    assert (one.standing(60.0).rate or 0.0) > 50.0  # it is no cap for ever


def test_what_was_learned_never_exceeds_what_is_declared() -> None:
    one = LearningPolicy(Limits(rate=5.0, concurrency=4), jitter=lambda: 0.0, known=Learned(50.0, 20))
    assert (one.standing(0.0).rate, one.standing(0.0).concurrency) == (5.0, 4)


def test_refusals_that_come_only_while_many_are_out_are_blamed_on_their_number() -> None:
    one, now = policy(concurrency=32), 0.0
    for number in (20, 21, 20, 22):
        serve(one, now, seconds=20.0, rate=50.0)
        now += 20.0
        rate = one.learned.rate
        one.answered(now, one.sent(now, number), 429, REFUSED, 0.1)
    assert one.learned == Learned(rate, 20)
    assert one.standing(now).concurrency == 19


def test_refusals_while_as_many_are_out_as_usual_are_the_rate_s() -> None:
    one, now = policy(concurrency=32), 0.0
    for _ in range(6):
        for number in range(500):
            moment = now + number / 25
            one.answered(moment, one.sent(moment, 10), 200, NOTHING, 0.1)
        now += 20.0
        one.answered(now, one.sent(now, 10), 429, REFUSED, 0.1)
    assert one.learned.refused_at is None
    assert one.learned.rate == pytest.approx(25.0, rel=0.05)


def test_answers_that_take_longer_shrink_what_goes_at_once_but_not_below_a_pull_s() -> None:
    one, now = policy(), 0.0
    for took in (*[0.1] * 4000, *[2.0] * 4000):
        out = one.standing(now).concurrency
        one.answered(now, one.sent(now, out), 200, NOTHING, took)
        now += 0.01
        if now == pytest.approx(40.0):
            assert out == 64
    assert 8 <= one.standing(now).concurrency < 32


def test_what_is_left_is_spread_over_what_is_left_of_the_window() -> None:
    one = policy(rate=20.0)
    one.answered(0.0, one.sent(0.0, 1), 200, Signals(remaining=50.0, reset_after=25.0), 0.1)
    assert one.standing(0.0).rate == pytest.approx(2.0)
    assert one.standing(25.0).rate == 20.0


def test_plenty_left_is_no_reason_to_exceed_what_is_declared() -> None:
    one = policy(rate=20.0)
    one.answered(0.0, one.sent(0.0, 1), 200, Signals(remaining=5000.0, reset_after=10.0), 0.1)
    assert one.standing(0.0).rate == 20.0


def test_nothing_left_shuts_the_gate_until_the_reset() -> None:
    one = policy()
    one.answered(0.0, one.sent(0.0, 1), 200, Signals(remaining=0.0, reset_after=12.0), 0.1)
    assert one.may_send(0.0, 0) == pytest.approx(12.0)
    assert not one.sent(12.0, 1).trial


def test_a_full_bucket_that_names_no_reset_is_given_a_breath() -> None:
    one = policy()
    one.answered(0.0, one.sent(0.0, 1), 200, Signals(remaining=0.0), 0.1)
    assert one.may_send(0.0, 0) == pytest.approx(0.3)


def test_a_refusal_waits_for_the_reset_when_it_names_nothing_else() -> None:
    one = policy()
    refuse(one, 0.0, Signals(remaining=0.0, reset_after=45.0, throttled=True))
    assert one.may_send(0.0, 0) == pytest.approx(45.0)


def test_a_failure_is_no_reason_to_slow_down() -> None:
    one = policy(rate=10.0)
    one.answered(0.0, one.sent(0.0, 1), 500, NOTHING, 0.1)
    one.answered(0.0, one.sent(0.1, 1), 0, NOTHING, 0.1)
    assert one.standing(1.0).rate == 10.0
