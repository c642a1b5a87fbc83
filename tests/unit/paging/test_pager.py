"""The pager: what it asks for, and what it costs."""

from __future__ import annotations

import random

import pytest

from harvester.errors import PagingError
from harvester.model import Certificate
from harvester.paging.order import OrderWitness
from harvester.paging.pager import OffsetIgnoredError, Pager
from harvester.paging.seen import RECENT
from tests.simulation.table import Table
from tests.simulation.test_paging_fuzz import pull


def pulled(
    rows: int, limit: int = 100, width: int = 8, **vice: object
) -> tuple[Table, list[str], Certificate]:
    table = Table(random.Random(1), rows, **vice)  # type: ignore[arg-type]
    written, certificate = pull(table, Pager(limit, width=width), random.Random(2))
    return table, written, certificate


def test_the_proof_costs_at_most_3_percent_on_a_calm_table() -> None:
    table, written, certificate = pulled(20_000)
    assert certificate.verdict == "certified"
    assert len(written) == 20_000
    assert table.requests <= 200 * 1.03


@pytest.mark.parametrize("rows", [0, 1, 2, 57, 99])
def test_what_fits_into_one_page_costs_one_request(rows: int) -> None:
    table, written, certificate = pulled(rows)
    assert (table.requests, len(written), certificate.verdict) == (1, rows, "certified")


@pytest.mark.parametrize("rows", [1, 2, 57, 99])
def test_without_a_total_it_costs_one_more_to_look_behind(rows: int) -> None:
    table, written, certificate = pulled(rows, total="none")
    assert (table.requests, len(written), certificate.verdict) == (2, rows, "certified")


@pytest.mark.parametrize("rows", [100, 196, 198, 200, 294, 296, 300, 1000])
@pytest.mark.parametrize("total", ["right", "none"])
def test_multiples_of_the_limit_are_complete(rows: int, total: str) -> None:
    _, written, certificate = pulled(rows, total=total)
    assert (len(written), certificate.verdict) == (rows, "certified")


@pytest.mark.parametrize("cap", [10, 25, 50, 75])
def test_a_total_that_counts_the_page_hides_nothing_where_the_page_looks_cut(cap: int) -> None:
    table, written, certificate = pulled(1_000, cap=cap, total="page")
    assert (len(written), certificate.verdict) == (1_000, "certified")
    assert table.requests < 1_000 / (cap - 2) * 1.2 + 8


@pytest.mark.parametrize("rows", [50, 75])
def test_a_page_that_looks_cut_costs_one_look_behind(rows: int) -> None:
    table, written, certificate = pulled(rows)
    assert (table.requests, len(written), certificate.verdict) == (2, rows, "certified")


def test_few_requests_go_past_the_end_of_a_table_without_a_total() -> None:
    table, _, _ = pulled(20_000, total="none")
    assert table.requests <= 205 + 8


def test_an_ignored_offset_is_refused_by_name() -> None:
    with pytest.raises(OffsetIgnoredError):
        pulled(500, ignores_offset=True)


def test_rows_in_no_order_are_never_certified() -> None:
    _, _, certificate = pulled(500, order="random")
    assert certificate.verdict == "uncertified"


def test_a_whole_range_that_cannot_be_served_is_no_single_bad_record() -> None:
    with pytest.raises(PagingError, match="more than 100 rows"):
        pulled(1000, poison=frozenset(range(300, 600)))


def test_poison_costs_a_few_requests_a_row() -> None:
    table, written, certificate = pulled(1000, poison=frozenset({0, 500, 999}))
    assert certificate.poisoned == (0, 500, 999)
    assert len(written) == 997
    assert table.requests < 11 + 3 * 20


def test_memory_does_not_grow_with_the_rows_while_the_order_holds() -> None:
    table, pager = Table(random.Random(1), 30_000), Pager(100)
    pull(table, pager, random.Random(2))
    assert pager._seen._digests is None
    assert len(pager._seen._recent) <= RECENT


@pytest.mark.parametrize(
    ("ids", "seen"),
    [
        ([f"{i:08x}" for i in range(50)], "id asc (codepoint)"),
        (
            [f"{'aA'[i % 2]}{i:03d}" for i in sorted(range(50), key=lambda i: ("a", i))],
            "id asc (case-insensitive)",
        ),
        ([str(i) for i in range(80, 130)], "id asc (numeric)"),
        ([f"{i}" for i in range(5)], None),
        ([f"{i:08x}" for i in range(50, 0, -1)], "id desc (codepoint)"),
        ([f"{i * 37 % 51:08x}" for i in range(50)], None),
        (["a"] * 50, None),
    ],
)
def test_an_order_is_believed_on_evidence_alone(ids: list[str], seen: str | None) -> None:
    witness = OrderWitness()
    if seen == "id asc (case-insensitive)":
        ids = [f"{'aA'[i % 2]}{i // 26:02d}{i % 26:02d}" for i in range(50)]
    witness.see(ids)
    assert witness.seen == seen
