"""Does the proof hold, and what does it cost? Many pulls of a table that changes under them, one line a case.

    python bench/completeness.py [PULLS]     (100 unless told; about a second a pull)

A table of 20,000 rows, pages of 100, eight at once, latencies drawn from a seed; 1 % of the requests are
answered up to 5 s late. What it says stands in docs/completeness.md.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from harvester.errors import PagingError
from harvester.model import Certificate, Page, Window
from harvester.paging.pager import HistoryNeeded, Pager
from tests.simulation.table import Table

ROWS, LIMIT, WIDTH = 20_000, 100, 8
LATENCY, LATE, LATE_BY = 0.2, 0.01, 5.0
SPAN = ROWS / LIMIT * LATENCY / WIDTH * 1.06
"""Seconds within which the changes come: about those of the pull."""


@dataclass(frozen=True)
class Case:
    what: str
    inserts: int = 0
    deletes: int = 0
    updates: int = 0
    burst: int = 0
    order: str = "id"
    vice: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("no change"),
    Case("2 inserts, 2 deletes, 20 updates", 2, 2, 20),
    Case("10 inserts, 10 deletes, 100 updates", 10, 10, 100),
    Case("100 inserts, 100 deletes, 1,000 updates", 100, 100, 1000),
    Case("500 inserts, 500 deletes, 5,000 updates", 500, 500, 5000),
    Case("30 neighbours deleted at one moment", burst=30),
    Case("10/10/100, limit capped at 37, no total", 10, 10, 100, vice={"cap": 37, "total": "none"}),
    Case("10/10/100, no total", 10, 10, 100, vice={"total": "none"}),
    Case("10/10/100, a replica up to 0.3 of the pull behind", 10, 10, 100, vice={"lag": 36}),
    Case("10/10/100, 3 % of the rows hidden", 10, 10, 100, vice={"hidden": 0.03}),
    Case("10/10/100, by date, unmodified rows", 10, 10, 100, order="modified"),
    Case("10/10/100, newest first, unmodified rows", 10, 10, 100, order="newest"),
    Case("100/100/1,000, by date, unmodified rows", 100, 100, 1000, order="modified"),
    Case("rows in no order", 10, 10, 100, order="random"),
)


@dataclass
class Wire:
    """A table behind latencies: what changes, and when which answer is cut out of it."""

    table: Table
    rng: random.Random
    changes: list[tuple[float, Callable[[], None]]]
    now: float = 0.0
    out: list[tuple[float, float, int, Window]] = field(default_factory=list)
    answered: list[tuple[float, int, Page]] = field(default_factory=list)
    number: count[int] = field(default_factory=count)

    def ask(self, window: Window) -> None:
        took = LATENCY * self.rng.lognormvariate(0, 0.35)
        late = self.rng.uniform(0, LATE_BY) if self.rng.random() < LATE else 0.0
        heappush(self.out, (self.now + 0.6 * took + late, self.now + took + late, next(self.number), window))

    def answer(self) -> Page:
        """The next answer to arrive."""
        while self.out and (not self.answered or self.out[0][0] <= self.answered[0][0]):
            served, arrives, number, window = heappop(self.out)
            while self.changes and self.changes[0][0] <= served:
                self.changes.pop(0)[1]()
            page = self.table.page(window)
            assert page is not None
            heappush(self.answered, (arrives, number, page))
        self.now, _, page = heappop(self.answered)
        return page


def changes_of(case: Case, table: Table, rng: random.Random) -> list[tuple[float, Callable[[], None]]]:
    def one(kind: str) -> Callable[[], None]:
        def change() -> None:
            table.kinds = (kind,)
            table.change()

        return change

    def burst() -> None:
        place = rng.randrange(len(table.initial) - case.burst)
        ids = sorted(table.initial)
        table.delete(*ids[place : place + case.burst])

    kinds = {"insert": case.inserts, "delete": case.deletes, "update": case.updates}
    changes = [(rng.uniform(0, SPAN), one(kind)) for kind, times in kinds.items() for _ in range(times)]
    if case.burst:
        changes.append((rng.uniform(0.1, 0.9) * SPAN, burst))
    return sorted(changes, key=lambda change: change[0])


def pulled(case: Case, seed: int) -> tuple[Table, set[str], Certificate | None]:
    """One pull; no certificate where it was refused."""
    rng = random.Random(seed)
    table = Table(random.Random(seed + 1), ROWS, case.order, **case.vice)
    wire = Wire(table, rng, changes_of(case, table, rng))
    pager = Pager(LIMIT, width=WIDTH, order_asked="id" if case.order == "id" else None)
    written: list[str] = []
    try:
        while True:
            for window in pager.wanted():
                wire.ask(window)
            pager.received(wire.answer())
            try:
                for ready in pager.ready():
                    written += [ready.page.ids[row] for row in ready.rows]
            except HistoryNeeded:
                pager.remember(written)
                continue
            if pager.done:
                break
    except PagingError:
        return table, set(written), None
    assert len(written) == len(set(written)), f"a record came twice: {case.what}, seed {seed}"
    return table, set(written), pager.certificate()


def line(case: Case, pulls: int) -> str:
    """A row of the table."""
    lost, proved, false, requests = [], 0, 0, []
    ideal = -(-ROWS // case.vice.get("cap", LIMIT))
    for seed in range(1000, 1000 + pulls):
        table, written, certificate = pulled(case, seed)
        missing = table.persistent - written
        if case.order in ("modified", "newest"):
            missing -= table.updated
        claimed = certificate is not None and (
            certificate.verdict == "certified" or certificate.scope == "unmodified"
        )
        proved += claimed
        false += bool(claimed and missing)
        lost.append(len(missing))
        requests.append(table.requests)
    extra = 100 * (mean(requests) / ideal - 1)
    losing = sum(map(bool, lost))
    return (
        f"| {case.what} | {losing} | {mean(lost):.2f} / {max(lost)} | {proved} ({false}) | {extra:+.1f} % |"
    )


def main() -> None:
    pulls = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    head = (
        f"changes in the pull | of {pulls} pulls, with loss | lost, mean / most | proved (falsely) | requests"
    )
    sys.stdout.write(f"| {head} |\n| --- | --- | --- | --- | --- |\n")
    for case in CASES:
        sys.stdout.write(line(case, pulls) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
