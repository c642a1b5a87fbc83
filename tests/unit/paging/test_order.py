"""In which order do rows stand? By id in any collation, by date, in none; believed on evidence alone."""

from __future__ import annotations

import random

import pytest

from harvester.paging.collations import COLLATIONS, LIKE_CODEPOINT, alike, way
from harvester.paging.order import ENOUGH_PAIRS, OrderWitness
from tests.simulation.table import IDS

RANKS = [i * 7 + i * i % 5 for i in range(1, 400)]


@pytest.mark.parametrize(
    ("ids_like", "seen"),
    [
        ("codepoint", "id asc (codepoint)"),
        ("uuid", "id asc (codepoint)"),
        ("numeric", "id asc (numeric)"),
        ("in both cases", "id asc (case-insensitive)"),
        ("uniqueidentifier", "id asc (uniqueidentifier)"),
        ("signed halves", "id asc (uuid, signed halves)"),
        ("descending", "id desc (codepoint)"),
        ("strange", "id (in a collation learned from the rows)"),
        ("natural", "id asc (length, then text)"),
    ],
)
def test_an_order_by_id_is_seen_in_the_collation_that_the_server_has(ids_like: str, seen: str) -> None:
    ids = [IDS[ids_like](rank * 1_500_001) for rank in RANKS]
    witness = OrderWitness()
    for start in range(0, len(ids), 20):
        witness.see(ids[start : start + 22])
    assert witness.seen == seen
    assert witness.by_id


@pytest.mark.parametrize(
    ("ids", "name"),
    [
        (["aab", "a_b", "ab", "a_c"], "punctuation-last"),
        (["a_2", "a-1", "a.3", "a1", "aA", "b"], "unicode"),
        (["cooa", "co-ob", "corp"], "word sort"),
        (["AA", "a_", "B"], "upper-cased"),
        (["u9", "u10", "u100"], "natural"),
        (["b", "aa", "bb"], "length, then text"),
    ],
)
def test_what_a_collation_holds_for_ascending(ids: list[str], name: str) -> None:
    assert way(ids, COLLATIONS[name]) == 1
    assert way(ids[::-1], COLLATIONS[name]) == -1
    assert way([*ids, ids[0]], COLLATIONS[name]) == 0
    assert way(ids, COLLATIONS["codepoint"]) == 0


@pytest.mark.parametrize("make", ["codepoint", "uuid"])
def test_collations_like_codepoint_agree_where_ids_are_alike(make: str) -> None:
    rng = random.Random(4)
    for _ in range(200):
        ids = [IDS[make](rng.randrange(1 << 32)) for _ in range(12)]
        assert alike(ids)
        for name in LIKE_CODEPOINT:
            keys = COLLATIONS[name](ids)
            by_keys = [row_id for _, row_id in sorted(zip(keys, ids, strict=True))]
            assert by_keys == sorted(ids), name


@pytest.mark.parametrize("ids", [["a", "bb"], ["Aa", "aA"], ["ab-", "ab1"], ["å", "b"]])
def test_ids_that_are_not_alike(ids: list[str]) -> None:
    assert not alike(ids)


def test_chance_is_not_taken_for_an_order() -> None:
    rng = random.Random(5)
    for _ in range(400):
        witness = OrderWitness()
        for _ in range(30):  # pages of two rows: the likeliest to ascend by chance
            ids = [f"{rng.randrange(1 << 32):08x}" for _ in range(2)]
            dates = [b"%d" % rng.randrange(10**9, 10**10) for _ in ids]
            witness.see(ids, dates)
        assert witness.seen is None


def test_the_same_rows_again_are_no_new_evidence() -> None:
    witness = OrderWitness()
    for _ in range(50):
        witness.see(["a", "b", "c"])
    assert witness.pairs == 2
    assert witness.seen is None


def test_an_order_by_date_is_not_taken_for_one_by_id() -> None:
    ids = [f"{i:04d}" for i in range(ENOUGH_PAIRS + 5)]
    dates = [b"2026-11-20T02:00:%02d.000Z" % i for i in range(len(ids))]
    unasked, asked = OrderWitness(), OrderWitness(asked=True)
    for witness in (unasked, asked):
        witness.see(ids, dates)
    assert (unasked.by_id, unasked.by_date, unasked.seen) == (False, True, "dateLastModified asc")
    assert (asked.by_id, asked.seen) == (True, "id asc (codepoint)")


@pytest.mark.parametrize(("step", "way"), [(1, "asc"), (-1, "desc")])
def test_dates_may_repeat_but_equal_ones_say_nothing(step: int, way: str) -> None:
    rng = random.Random(6)
    ids = [f"{rng.randrange(1 << 32):08x}" for _ in range(80)]
    dates = [b"%d" % (1000 + i // 2) for i in range(80)][::step]
    witness = OrderWitness()
    witness.see(ids[:40], dates[:40])
    assert witness.seen is None, "20 different dates are not enough"
    witness.see(ids[40:], dates[40:])
    assert witness.seen == f"dateLastModified {way}"
    same = OrderWitness()
    same.see(ids, [b"1000"] * 80)
    assert same.seen is None
