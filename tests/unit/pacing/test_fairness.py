"""Whose turn it is."""

from __future__ import annotations

import pytest

from harvester.pacing.fairness import RoundRobin


def turns(ring: RoundRobin[str], number: int) -> str:
    taken = []
    for _ in range(number):
        assert ring.head() is not None
        taken.append(ring.take())
    return " ".join(taken)


def filled(**lines: int) -> RoundRobin[str]:
    ring: RoundRobin[str] = RoundRobin()
    for tenant, number in lines.items():
        for n in range(number):
            ring.add(tenant, f"{tenant}{n}")
    return ring


def test_tenants_take_turns_and_each_is_served_in_order_of_arrival() -> None:
    assert turns(filled(a=3, b=1, c=2), 6) == "a0 b0 c0 a1 c1 a2"


def test_nobody_waits_in_an_empty_ring() -> None:
    ring = filled(a=1)
    turns(ring, 1)
    assert ring.head() is None
    assert (ring.waiting, ring.tenants) == (0, 0)


def test_a_weight_is_requests_a_round() -> None:
    ring = filled(a=4, b=2)
    ring.weigh("a", 2.0)
    assert turns(ring, 6) == "a0 a1 b0 a2 a3 b1"


def test_a_broken_weight_is_carried_over() -> None:
    ring = filled(a=5, b=2)
    ring.weigh("a", 1.5)
    assert turns(ring, 6) == "a0 b0 a1 a2 b1 a3"


def test_a_weight_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        filled().weigh("a", 0.5)


def test_what_an_idle_tenant_did_not_use_is_not_saved_up() -> None:
    ring = filled(a=1)
    ring.weigh("a", 9.0)
    turns(ring, 1)
    for n in range(12):
        ring.add("a", f"a{n}")
    ring.add("b", "b0")
    assert turns(ring, 10).endswith("b0")


def test_who_leaves_the_line_is_passed_over() -> None:
    ring = filled(a=2, b=1)
    ring.discard("a", "a0")
    ring.discard("a", "a0")
    ring.discard("nobody", "x")
    assert ring.waiting == 2
    assert turns(ring, 2) == "a1 b0"


def test_a_line_that_emptied_by_cancellation_leaves_the_ring() -> None:
    ring = filled(a=1, b=1)
    ring.discard("a", "a0")
    assert ring.head() == "b"
    ring.add("a", "a1")
    assert turns(ring, 2) == "b0 a1"


def test_a_parked_tenant_is_passed_over_until_it_is_unparked() -> None:
    ring = filled(a=2, b=3)
    assert ring.head() == "a"
    ring.park()
    assert turns(ring, 2) == "b0 b1"
    ring.unpark("a")
    ring.unpark("a")
    assert turns(ring, 3) == "b2 a0 a1"


def test_with_all_parked_there_is_no_head_but_somebody_waits() -> None:
    ring = filled(a=1)
    ring.head()
    ring.park()
    assert ring.head() is None
    assert ring.waiting == 1
    ring.discard("a", "a0")
    assert (ring.waiting, ring.tenants) == (0, 0)
    ring.unpark("a")
    assert ring.head() is None


def test_one_line_or_all_can_be_sent_away() -> None:
    ring = filled(a=2, b=1, c=1)
    ring.head()
    ring.park()
    assert ring.drain("a") == ["a0", "a1"]
    assert ring.drain("nobody") == []
    assert sorted(ring.drain()) == ["b0", "c0"]
    assert ring.waiting == 0
    assert ring.head() is None
