"""Gaps between neighbouring pages: closed where rows went, given up where nothing helps, cheap."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from harvester.model import Certificate, Page, Window
from harvester.paging.joins import join, joined
from harvester.paging.pager import Pager
from harvester.paging.repair import path
from tests.simulation.table import Table
from tests.simulation.test_paging_fuzz import pull


def page(offset: int, *ids: str, versions: Sequence[bytes] = ()) -> Page:
    return Page(Window(offset, 4), ids, versions or [b"1"] * len(ids), [b"{}"] * len(ids))


def pulled(
    rows: int, events: dict[int, Callable[[Table], None]], width: int = 1, **vice: object
) -> tuple[Table, list[str], Certificate]:
    table = Table(random.Random(1), rows, events=events, **vice)  # type: ignore[arg-type]
    pager = Pager(100, width=width, order_asked="id")
    written, certificate = pull(table, pager, random.Random(2))
    return table, written, certificate


def goes(start: int, many: int) -> Callable[[Table], None]:
    return lambda table: table.delete(*sorted(table.modified)[start : start + many])


@pytest.mark.parametrize("many", [3, 10, 30, 60, 100, 150])
def test_rows_that_went_at_one_moment_tear_a_gap_that_is_closed(many: int) -> None:
    table, written, certificate = pulled(5000, {20: goes(100, many)})
    assert certificate.verdict == "certified", certificate
    assert certificate.repaired_gaps == 1
    assert not table.persistent - set(written)
    assert table.requests <= 52 + 4
    assert written == sorted(written), "in the server's order"


def test_gaps_of_one_stretch_are_closed_at_the_same_time() -> None:
    events = {n: goes(10 * n, 5) for n in range(10, 40, 3)}
    table, written, certificate = pulled(5000, events, width=8)
    assert certificate.verdict == "certified", certificate
    assert not table.persistent - set(written)
    assert certificate.repaired_gaps >= 5


def test_a_table_that_shrinks_to_nothing_new_is_still_seen_to_its_end() -> None:
    table, written, certificate = pulled(1000, {11: goes(500, 60)})
    assert certificate.verdict == "certified", certificate
    assert not table.persistent - set(written)


def test_where_most_pages_stand_alone_nothing_is_spent() -> None:
    table, _, certificate = pulled(5000, {}, width=8, order="random")
    assert certificate.verdict == "uncertified"
    assert table.requests <= 53


def test_many_gaps_let_windows_share_more_rows() -> None:
    events = {n: goes(0, 4) for n in range(5, 60)}
    table, written, certificate = pulled(5000, events, width=2)
    assert certificate.verdict == "certified", certificate
    assert certificate.overlap > 2
    assert not table.persistent - set(written)


def test_calm_pulls_with_a_few_changes_are_certified() -> None:
    """>= 99.9 % of all pulls with <= 0.1 % of the rows changed: here 300 of 300."""
    for seed in range(300):
        rng = random.Random(seed)
        events: dict[int, Callable[[Table], None]] = {rng.randrange(2, 20): Table.change for _ in range(2)}
        table = Table(random.Random(seed), 2000, events=events)
        written, certificate = pull(table, Pager(100, width=8, order_asked="id"), rng)
        assert certificate.verdict == "certified", (seed, certificate)
        assert not table.persistent - set(written), seed


def test_pages_join_by_any_row_in_an_order_by_id_and_by_most_of_them_in_another() -> None:
    early, late = page(0, "a", "b", "c", "d"), page(3, "d", "e", "f", "g")
    assert join(early, late, by_id=True) == join(early, late, by_id=False) == "exact"
    moved = page(3, "x", "y", "a", "z")
    assert join(early, moved, by_id=True) == "drift"
    assert join(early, moved, by_id=False) == "none"
    modified = page(3, "d", "e", "f", "g", versions=[b"2", b"1", b"1", b"1"])
    assert join(early, modified, by_id=False) == "none", "a row that was modified may have moved"
    assert join(early, page(2, "d", "c", "e", "f"), by_id=False) == "reordered"


def test_the_shortest_way_through_the_patches_is_taken() -> None:
    chain, target = [page(0, "a", "b", "c", "d")], page(12, "m", "n", "o", "p")
    steps = [page(3, "d", "e", "f", "g"), page(6, "g", "h", "i", "j"), page(9, "j", "k", "l", "m")]
    stray = page(20, "x", "y")
    assert path(chain, [*steps, stray], target, by_id=True) == steps
    assert path(chain, [steps[0], steps[2]], target, by_id=True) is None
    leap = page(4, "d", "h", "l", "m")
    assert path(chain, [*steps, leap], target, by_id=True) == [leap]
    assert joined(steps[1], steps[0], by_id=True), "whichever comes first"


def test_a_total_that_jumps_while_the_pages_stand_still_is_not_certified() -> None:
    def jumps(table: Table) -> None:
        table.total = "high" if table.requests == 9 else "right"

    table, written, certificate = pulled(2000, {9: jumps, 10: jumps})
    assert len(written) == 2000
    assert certificate.verdict == "uncertified"
    assert certificate.why == "the stated total jumped, while the pages stood still: 2000 to 4050"
    assert table.requests <= 22
