"""Small worlds, mutations thick as hail, every order and vice: certified means complete, and all ends."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from harvester.errors import PagingError
from harvester.model import Certificate, Window
from harvester.paging.pager import Ahead, HistoryNeeded, Pager, Ready
from tests.simulation.table import IDS, Table

SEEDS = int(os.environ.get("SEEDS", "4000"))


@dataclass
class Drive:
    """Drives a pager against a table; pages come back in random order."""

    table: Table
    pager: Pager
    rng: random.Random
    late: float = 0.0
    """The share of requests that fail and are answered much later, behind all that are out by then."""
    killed: float = 0.0
    """The share of answers at which the process dies, and another one goes on."""
    written: list[str] = field(default_factory=list)
    journal: list[Ready] = field(default_factory=list)
    ahead: Ahead | None = None
    flying: list[Window] = field(default_factory=list)
    delayed: list[Window] = field(default_factory=list)

    def __call__(self) -> tuple[list[str], Certificate]:
        """The ids written, and the claim."""
        for _ in range(200_000):
            self.flying += self.pager.wanted()
            if self.pager.done:
                return self.written, self.pager.certificate()
            if not self.flying or (self.delayed and self.rng.random() < 0.1):
                self.flying, self.delayed = self.flying + self.delayed, []
            assert self.flying, "nothing asked for and not done: a hang"
            if not self.land():
                continue
            self.write()
            if self.pager.done:
                return self.written, self.pager.certificate()
            if self.journal and self.rng.random() < self.killed:
                self.flying, self.delayed = [], []
                self.die()
        raise AssertionError("endless")

    def land(self) -> bool:
        """Let the answer to one of the windows come, or be late."""
        window = self.flying.pop(self.rng.randrange(len(self.flying)))
        if self.rng.random() < self.late:
            self.delayed.append(window)
            return False
        page = self.table.page(window)
        if page is None:
            self.pager.failed(window)
        else:
            self.pager.received(page)
        return True

    def meanwhile(self) -> None:
        """While one task writes a page, others ask and land."""
        if self.rng.random() < 0.3 and not self.pager.done:
            self.flying += self.pager.wanted()
        if self.rng.random() < 0.3 and self.flying:
            self.land()

    def write(self) -> None:
        while True:
            try:
                for ready in self.pager.ready():
                    self.written += [ready.page.ids[i] for i in ready.rows]
                    self.journal.append(ready)
                    self.ahead = self.pager.ahead
                    self.meanwhile()
            except HistoryNeeded:
                self.pager.remember(_sound(self.written))
            else:
                return

    def die(self) -> None:
        """Another pager sees again what this one saw, and goes on."""
        old = self.pager
        self.pager = Pager(old.limit, width=old.width, order_asked=old.order_asked)
        written: list[str] = []
        for ready in self.journal:
            try:
                rows = self.pager.replay(ready)
            except HistoryNeeded:
                self.pager.remember(_sound(written))
                rows = self.pager.replay(ready)
            assert rows == ready.rows, "another pager would have written other rows"
            written += [ready.page.ids[i] for i in rows]
        assert self.ahead is not None
        self.pager.go_on(self.ahead)
        self.write()


def _sound(ids: list[str]) -> list[str]:
    return [row_id for row_id in ids if not row_id.startswith("\0")]


def pull(table: Table, pager: Pager, rng: random.Random) -> tuple[list[str], Certificate]:
    """One undisturbed pull: the ids written, and the claim."""
    return Drive(table, pager, rng)()


def world(seed: int) -> Drive:
    rng = random.Random(seed)
    rows = rng.choice([0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 150])
    order = rng.choice(["id", "id", "id", "modified", "newest", "random"])
    limit = rng.choice([2, 3, 4, 5, 7, 10, 16, 100])
    vice: dict[str, Any] = rng.choice(
        [{}, {}, {}, {"cap": rng.choice([1, 2, 3, 6])}, {"total": "none"}, {"cap": 5, "total": "none"}]
    )
    changes = rng.choice([0, 0, 1, 1, 2])
    table = Table(
        rng,
        rows,
        order,
        ids_like=rng.choice(["codepoint", *IDS]),
        aligned=rng.random() < 0.2,
        changes=changes,
        kinds=rng.choice([("insert", "delete", "update"), ("delete",), ("update",), ("insert", "delete")]),
        bursts=rng.choice([0, 0, 3, 8]),
        lag=rng.choice([0, 0, 0, 2, 10]) if changes else 0,
        **vice,
    )
    asked = "id" if order == "id" and rng.random() < 0.7 else None
    pager = Pager(limit, width=rng.choice([1, 2, 4, 8]), order_asked=asked)
    late, killed = rng.choice([0.0, 0.0, 0.1, 0.3]), rng.choice([0.0, 0.0, 0.0, 0.02])
    return Drive(table, pager, rng, late, killed)


@dataclass
class Score:
    """What came of many worlds."""

    pulls: int = 0
    false: list[str] = field(default_factory=list)
    """Certificates that were wrong, and how to see them again."""
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def play(self, seed: int) -> None:
        it = world(seed)
        table, calm = it.table, not it.table.changes
        self.pulls += 1
        again = f"again with: world({seed})"
        try:
            written, certificate = it()
        except PagingError:
            assert not calm or table.order == "random", f"a calm table was refused; {again}"
            self.verdicts[table.order, "refused"] += 1
            return
        again = f"{again}; {certificate}"
        assert len(written) == len(set(written)), f"a record was written twice; {again}"
        lost = table.persistent - set(written)
        claimed = certificate.verdict
        if certificate.verdict == "certified" and lost:
            self.false.append(f"{len(lost)} records lost; {again}")
        if certificate.scope == "unmodified":  # what a delta can make `repaired` of
            claimed = f"{claimed}, unmodified"  # type: ignore[assignment]
            if lost - table.updated:
                self.false.append(f"{len(lost - table.updated)} unmodified records lost; {again}")
        if calm and table.order != "random":
            assert not lost, f"{len(lost)} records of a calm table lost; {again}"
            if table.order == "id" and table.total == "right":
                assert certificate.verdict in ("certified", "probable"), again
        self.verdicts[table.order, claimed] += 1


@pytest.mark.parametrize("block", range(8))
def test_what_is_certified_is_complete(block: int) -> None:
    score = Score()
    for seed in range(block, SEEDS, 8):
        score.play(seed)
    assert not score.false, "\n".join(score.false)
    assert score.verdicts["id", "certified"] > 0
    assert score.verdicts["modified", "uncertified, unmodified"] > 0


def main() -> None:
    """Many worlds, by hand: `python -m tests.simulation.test_paging_fuzz FROM TO`."""
    score = Score()
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        score.play(seed)
    lines = [f"{score.pulls:,} pulls, {len(score.false)} false certificates"]
    lines += [f"  {order:10}{verdict:28}{n:9,}" for (order, verdict), n in sorted(score.verdicts.items())]
    sys.stdout.write("\n".join([*lines, *score.false, ""]))


if __name__ == "__main__":
    main()
