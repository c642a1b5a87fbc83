"""SPECs are read as written, and mistakes in them are named."""

from __future__ import annotations

import pytest

from harvester.emulator.faults import Dice, Faults


def test_a_spec_sets_statuses_switches_and_values() -> None:
    faults = Faults.parse("500:0.01, 429:0.02,latency:50ms,reset:0.005,cap:37,nototal,rate:50,poison:7+203")
    assert faults.statuses == {500: 0.01, 429: 0.02}
    assert (faults.latency, faults.reset, faults.cap, faults.rate) == (0.05, 0.005, 37, 50.0)
    assert faults.nototal
    assert faults.poison == {7, 203}


def test_an_empty_spec_is_a_good_server() -> None:
    assert Faults.parse("") == Faults()
    assert Faults.parse("nototal:false") == Faults()


def test_single_requests_and_single_collections_can_be_named() -> None:
    faults = Faults.parse("nth:3=500+7=429,on:users+orgs,token-status:503")
    assert faults.nth == {3: 500, 7: 429}
    assert faults.touches("users")
    assert not faults.touches("classes")
    assert faults.token_status == 503


@pytest.mark.parametrize(
    ("spec", "stated"),
    [("expires-in:5", 5), ("expires-in:'5'", "5"), ("expires-in:absent", "absent"), ("expires-in:-1", -1)],
)
def test_a_tokens_life_is_a_number_or_a_text(spec: str, stated: object) -> None:
    assert Faults.parse(spec).expires_in == stated


@pytest.mark.parametrize("spec", ["rubbish", "cap:many", "503:often", "nth:3", "poison:x", "latency:soon"])
def test_a_mistake_is_named(spec: str) -> None:
    with pytest.raises(ValueError, match=spec.partition(":")[0]):
        Faults.parse(spec)


def test_the_same_seed_throws_the_same_dice() -> None:
    faults = Faults.parse("503:0.3,429:0.2")
    thrown = [[dice.status(0.0, 1) for _ in range(50)] for dice in (Dice(faults, 7), Dice(faults, 7))]
    assert thrown[0] == thrown[1]
    assert set(thrown[0]) == {0, 429, 503}


def test_only_the_request_of_that_number_fails() -> None:
    dice = Dice(Faults(nth={2: 500}), 1)
    assert [dice.status(0.0, 1) for _ in range(3)] == [0, 500, 0]


def test_a_hidden_rate_lets_a_second_worth_through_and_refills() -> None:
    dice = Dice(Faults(rate=2.0), 1)
    assert [dice.status(now, 1) for now in (0.0, 0.0, 0.0, 0.5, 0.5)] == [0, 0, 429, 0, 429]


def test_a_hidden_concurrency_refuses_who_comes_on_top() -> None:
    dice = Dice(Faults(concurrency=2), 1)
    assert [dice.status(0.0, in_flight) for in_flight in (1, 2, 3)] == [0, 0, 429]


def test_other_collections_are_spared_statuses_but_not_limits() -> None:
    dice = Dice(Faults(statuses={500: 1.0}, on=frozenset({"users"}), concurrency=2), 1)
    assert [dice.status(0.0, 1, name) for name in ("users", "orgs")] == [500, 0]
    assert dice.status(0.0, 3, "orgs") == 429
