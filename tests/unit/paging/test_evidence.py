"""What counts as evidence: joins between pages, and pairs of rows for an order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harvester.model import Page, Window
from harvester.paging.joins import join
from harvester.paging.order import OrderWitness


def page(offset: int, ids: Sequence[str]) -> Page:
    return Page(Window(offset, 10), list(ids), [b"v"] * len(ids), [b"{}"] * len(ids), None)


@pytest.mark.parametrize(
    ("earlier", "later", "found"),
    [
        ("abcdef", "efghij", "exact"),
        ("abcdef", "fghijk", "exact"),  # one row was deleted before them
        ("abcdef", "defghi", "exact"),  # one was inserted
        ("abcdef", "exfghi", "drift"),
        ("abcdef", "ghijkl", "none"),
        ("abcdef", "feghij", "reordered"),  # the same two rows, the other way round
        ("abcdef", "fxebcd", "reordered"),
    ],
)
@pytest.mark.parametrize("by_id", [True, False])
def test_pages_join_by_rows_that_stand_in_the_same_order(
    earlier: str, later: str, found: str, by_id: bool
) -> None:
    assert join(page(0, earlier), page(4, later), by_id=by_id) == found


@pytest.mark.parametrize(("rows", "seen"), [(25, None), (26, "id asc (codepoint)")])
def test_an_order_is_believed_from_twenty_five_ascending_pairs_on(rows: int, seen: str | None) -> None:
    witness = OrderWitness()
    witness.see([f"{row:03d}x" for row in range(rows)])
    assert witness.seen == seen
