"""Small worlds, mutations thick as hail, every order and vice: certified means complete, and all ends."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from harvester.errors import PagingError
from harvester.model import Certificate
from harvester.paging.pager import HistoryNeeded, Pager
from tests.simulation.table import Table

SEEDS = int(os.environ.get("SEEDS", "4000"))


def pull(table: Table, pager: Pager, rng: random.Random) -> tuple[list[str], Certificate]:
    """Drive `pager` against `table`; pages come back in random order. The ids written, and the claim."""
    written: list[str] = []
    flying = []
    for _ in range(200_000):
        flying += pager.wanted()
        if pager.done:
            break
        assert flying, "nothing asked for and not done: a hang"
        window = flying.pop(rng.randrange(len(flying)))
        page = table.page(window)
        if page is None:
            pager.failed(window)
        else:
            pager.received(page)
        while True:
            try:
                for ready in pager.ready():
                    written += [ready.page.ids[i] for i in ready.rows]
            except HistoryNeeded:
                pager.remember([row_id for row_id in written if not row_id.startswith("\0")])
                continue
            break
        if pager.done:
            break
    else:
        raise AssertionError("endless")
    return written, pager.certificate()


def world(seed: int) -> tuple[Table, Pager, random.Random]:
    rng = random.Random(seed)
    rows = rng.choice([0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
    order = rng.choice(["id", "id", "id", "modified", "newest"])
    limit = rng.choice([2, 3, 4, 5, 7, 10, 16, 100])
    vice: dict[str, object] = rng.choice(
        [{}, {}, {}, {"cap": rng.choice([1, 2, 3, 6])}, {"total": "none"}, {"cap": 5, "total": "none"}]
    )
    changes = rng.choice([0, 0, 1, 1, 2])
    table = Table(rng, rows, order, changes=changes, **vice)  # type: ignore[arg-type]
    return table, Pager(limit, width=rng.choice([1, 2, 4, 8])), rng


@pytest.mark.parametrize("block", range(8))
def test_what_is_certified_is_complete(block: int) -> None:
    verdicts: Counter[tuple[str, str]] = Counter()
    for seed in range(block, SEEDS, 8):
        table, pager, rng = world(seed)
        calm = not table.changes
        try:
            written, certificate = pull(table, pager, rng)
        except PagingError:
            assert not calm, f"a calm table was refused; again with seed={seed}"
            continue
        again = f"again with: world(seed={seed}); {certificate}"
        assert len(written) == len(set(written)), f"a record was written twice; {again}"
        lost = table.persistent - set(written)
        if certificate.verdict == "certified":
            assert not lost, f"certified, and {len(lost)} records lost; {again}"
        if calm:
            assert not lost, f"{len(lost)} records of a calm table lost; {again}"
            if table.order == "id" and table.total == "right":
                assert certificate.verdict in ("certified", "probable"), again
        verdicts[table.order, certificate.verdict] += 1
    assert verdicts["id", "certified"] > 0
