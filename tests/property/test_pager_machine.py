"""The pager as a state machine: rows come, go and change, pages come and fail, in any order.

At every moment no row was given twice; at the end, what is certified lacks no row that was there throughout.
"""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harvester.errors import PagingError
from harvester.model import Window
from harvester.paging.pager import HistoryNeeded, Pager
from tests.simulation.table import IDS, Table

NUMBERS = st.integers(0, 10**6)


class PagerMachine(RuleBasedStateMachine):
    @initialize(
        rows=st.sampled_from([0, 1, 3, 8, 25, 60, 130]),
        order=st.sampled_from(["id", "id", "id", "modified", "newest"]),
        limit=st.sampled_from([2, 3, 5, 10, 25]),
        width=st.sampled_from([1, 3, 8]),
        cap=st.sampled_from([None, None, 2, 7]),
        total=st.sampled_from(["right", "right", "none", "low", "high"]),
        seed=NUMBERS,
    )
    def begin(
        self, rows: int, order: str, limit: int, width: int, cap: int | None, total: str, seed: int
    ) -> None:
        if cap is not None and total == "low":
            total = "right"  # a total that is just what a capped page holds can't be told from the truth
        self.table = Table(random.Random(seed), rows, order, cap=cap, total=total)
        self.pager = Pager(limit, width=width)
        self.flying: list[Window] = []
        self.written: list[str] = []
        self.refused = self.calm = False
        self.failures = 0
        self.ask()

    # ── the table ───────────────────────────────────────────────────────────────────────────────────────

    @rule(number=NUMBERS)
    def insert(self, number: int) -> None:
        rank = number % (16 * max(1, self.table.rows)) | 1
        self.table.insert(IDS[self.table.ids_like](rank), rank)

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        if self.table.modified:
            self.table.delete(sorted(self.table.modified)[number % len(self.table.modified)])

    @rule(number=NUMBERS)
    def update(self, number: int) -> None:
        if self.table.modified:
            self.table.update(sorted(self.table.modified)[number % len(self.table.modified)])

    # ── the pages ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def over(self) -> bool:
        return self.refused or self.pager.done

    def ask(self) -> None:
        if not self.over:
            self.flying += self.pager.wanted()
            assert self.flying or self.pager.done, "nothing asked for and not done: a hang"

    def take(self) -> None:
        while True:
            try:
                for ready in self.pager.ready():
                    self.written += [ready.page.ids[row] for row in ready.rows]
            except HistoryNeeded:
                self.pager.remember(self.written)
            except PagingError:
                self.refused = True
                return
            else:
                break
        self.ask()

    @precondition(lambda self: not self.over and self.flying)
    @rule(number=NUMBERS)
    def serve(self, number: int) -> None:
        page = self.table.page(self.flying.pop(number % len(self.flying)))
        assert page is not None
        self.pager.received(page)
        self.take()

    @precondition(lambda self: not self.over and self.flying and self.failures < 2)
    @rule(number=NUMBERS)
    def fail(self, number: int) -> None:
        self.failures += 1
        self.pager.failed(self.flying.pop(number % len(self.flying)))
        self.take()

    @invariant()
    def each_row_is_given_once(self) -> None:
        if hasattr(self, "written"):
            assert len(self.written) == len(set(self.written))

    def teardown(self) -> None:
        if not hasattr(self, "written"):
            return
        for number in range(20_000):
            if self.over:
                break
            self.serve(number)
        assert self.over, "endless"
        self.each_row_is_given_once()
        if self.refused:
            return
        certificate = self.pager.certificate()
        if certificate.verdict == "certified":
            lost = self.table.persistent - set(self.written)
            assert not lost, f"certified, and lost {sorted(lost)[:5]}: {certificate}"


TestPager = PagerMachine.TestCase
TestPager.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
