"""Lanes of ids, page by page: what is taken, where a lane ends, and what is a contradiction."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harvester.model import Page, Window
from harvester.paging.keyset import (
    Keyset,
    KeysetBrokenError,
    Lane,
    Operator,
    Proof,
    condition,
    lanes_between,
    lanes_for,
)


def machine(
    *keys: str, operator: Operator = ">=", collation: str = "codepoint", total: int | None = None
) -> Keyset:
    proof = Proof(operator, collation, "2026-11-21")
    return Keyset(proof, "sourcedId asc", list(lanes_between(keys, collation)), total_first=total)


def page(ids: str | Sequence[str]) -> Page:
    ids = list(ids)
    return Page(Window(0, 3), ids, [b""] * len(ids), [b"{}"] * len(ids))


def test_a_lane_follows_its_own_last_id_to_a_look_that_finds_nothing() -> None:
    keyset = machine()
    assert keyset.behind(0) is None
    assert keyset.received(0, page("abc")) == range(3)
    assert keyset.behind(0) == "c"
    assert keyset.received(0, page("cd")) == range(1, 2)
    assert not keyset.done, "a short page may be a cap"
    assert keyset.received(0, page("d")) == range(1, 1)
    assert keyset.done
    keyset.settle(4)
    certificate = keyset.certificate()
    assert (certificate.verdict, certificate.strategy, certificate.unique) == ("certified", "keyset", 4)
    assert certificate.assumptions[-1] == "A6: filter and sort compare ids alike (probed 2026-11-21)"


def test_lanes_meet_at_the_split_key_and_both_do_without_it_when_it_is_deleted() -> None:
    keyset = machine("m")
    assert keyset.received(0, page("abm")) == range(3)
    assert keyset.received(1, page("mno")) == range(1, 3), "the lane before has it"
    gone = machine("m")
    assert gone.received(0, page("abn")) == range(2)
    assert gone.received(1, page("nop")) == range(3)
    assert gone.lanes[0].done


def test_where_the_filter_leaves_out_its_own_id_pages_share_a_row_all_the_same() -> None:
    keyset = machine("m", operator=">")
    keyset.received(0, page("abc"))
    assert keyset.behind(0) == "b"
    assert keyset.received(0, page(["bb", "c", "d"])) == range(2, 3), "inserted before the last row: not lost"
    assert keyset.received(0, page("dm")) == range(1, 2)
    assert not keyset.lanes[0].done, "another id may be equal to the split key in this order"
    assert keyset.received(0, page("mno")) == range(1, 1)
    assert keyset.lanes[0].done


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ("ba", "do not ascend"),
        ("cc", "do not ascend"),
        ("ab", "begins below"),
        (["c", "ab"], "do not ascend"),
    ],
)
def test_contradictions_are_named(ids: str, why: str) -> None:
    keyset = machine()
    keyset.received(0, page("abc"))
    with pytest.raises(KeysetBrokenError, match=why):
        keyset.received(0, page(ids))


def test_a_lane_that_ends_before_the_next_begins_is_a_contradiction() -> None:
    keyset = machine("m")
    keyset.received(0, page("abc"))
    with pytest.raises(KeysetBrokenError, match="before the next one began"):
        keyset.received(0, page("c"))


def test_one_record_a_page_is_no_end() -> None:
    keyset = machine()
    keyset.received(0, page("a"))
    with pytest.raises(KeysetBrokenError, match="one record a page"):
        keyset.received(0, page("a"))


def test_ids_that_differ_only_in_what_the_order_ignores_are_a_contradiction() -> None:
    keyset = machine("M", collation="case-insensitive")
    with pytest.raises(KeysetBrokenError, match="can't tell apart"):
        keyset.received(0, page("abm"))


def test_a_total_that_stood_still_must_be_what_came() -> None:
    keyset = machine(total=4)
    keyset.received(0, page("abc"))
    keyset.received(0, page("c"))
    with pytest.raises(KeysetBrokenError, match="3 records came of 4"):
        keyset.settle(4)
    keyset.settle(5)  # it moved: the table changed


def test_split_keys_must_ascend() -> None:
    with pytest.raises(KeysetBrokenError, match="split keys"):
        lanes_between(["b", "a"], "codepoint")
    assert lanes_between(["a", "a"], "codepoint") == (Lane(0, None, "a"), Lane(1, "a", None))
    assert (lanes_for(99_999), lanes_for(100_000)) == (4, 8)


@pytest.mark.parametrize("row_id", ["", "a\0", "a\nb", "x" * 300, "\ud800"])
def test_what_no_filter_can_name_is_refused(row_id: str) -> None:
    with pytest.raises(KeysetBrokenError):
        condition("sourcedId", ">=", row_id)


def test_quotes_are_doubled_and_other_filters_kept() -> None:
    assert condition("sourcedId", ">", "o'a", "status='active'") == "sourcedId>'o''a' AND status='active'"


def test_an_id_that_a_filter_may_misread_must_come_back() -> None:
    keyset = machine()
    keyset.received(0, page(["a", "b'c"]))
    with pytest.raises(KeysetBrokenError, match="misread"):
        keyset.received(0, page("d"))
