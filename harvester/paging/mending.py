"""The chain as it grows: how each page meets it, and what is asked for where one does not (see `repair`)."""

from __future__ import annotations

from harvester.model import Page
from harvester.paging.certificate import Evidence
from harvester.paging.joins import Chain, joined
from harvester.paging.line import Line, Slot
from harvester.paging.order import OrderWitness
from harvester.paging.repair import MOST_ROUNDS, Effort, path
from harvester.paging.stride import Stride


class Mender:
    def __init__(self, line: Line, evidence: Evidence, order: OrderWitness, stride: Stride) -> None:
        self._line = line
        self._evidence = evidence
        self._order = order
        self._stride = stride
        self._chain = Chain()
        self._effort = Effort()
        self._head: Page | None = None

    def begin(self, head: Page) -> None:
        """Let the first page be the chain."""
        self._head = head
        self._chain.append(head)

    def continues(self, page: Page) -> bool:
        """Whether a page begins with the very rows that the chain ends with."""
        last = next(iter(self._chain))
        shared = last.end - page.window.offset
        return 0 < shared <= len(page.ids) and list(last.ids[-shared:]) == list(page.ids[:shared])

    def link(self, page: Page, *, hole: bool, chosen: bool) -> None:
        """Count how a page meets the chain, and let it be its end. With a `hole` before it, it does not.

        `chosen`: among others, for joining; that it does so exactly is no evidence of a fixed order.
        """
        if hole:
            self._evidence.count_join("none", "none")
        else:
            by_id, by_version = (self._chain.how(page, by_id=by_id) for by_id in (True, False))
            last = next(iter(self._chain))
            evident = not chosen and self.continues(page)
            shared = last.end - page.window.offset if evident else 0
            self._evidence.count_join(by_id, by_version, shared)
        self._chain.append(page)

    def gap(self, slot: Slot, page: Page, previous: Page | None, pages: int) -> bool:
        """Whether something was asked for, or has come, that belongs in front of a page.

        `pages`: how many the collection has, as far as one can tell.
        """
        if previous is None or self._head is None or not page.ids:
            return False
        if self._chain.joins(page, by_id=self._order.by_id):
            return False
        if page.window.offset and list(page.ids) == list(self._head.ids):
            return False  # the server starts over
        return self._fill(slot, page, previous) or self._mend(slot, page, pages)

    def _fill(self, slot: Slot, page: Page, previous: Page) -> bool:
        """Ask for the rows between the previous page's end and this page, if the plan has left any out.

        A server that gives fewer rows than it did before leaves a gap that the plan could not foresee.
        """
        start = self._stride.too_far_from(previous)
        if page.window.offset <= start or start <= slot.gap_from:  # the second: asking again brought nothing
            return False
        slot.gap_from = start
        self._evidence.note("shorter pages in the middle")
        self._line.put_first(self._stride.window(start))
        return True

    def _mend(self, slot: Slot, page: Page, pages: int) -> bool:
        """Close a gap that drift has torn, with windows that reach back: see `repair`."""
        gap, effort, by_id = slot.gap, self._effort, self._order.by_id
        if not effort.judged:
            if not self._line.settled:
                return True
            self._judge(by_id)
        if effort.stopped:
            return False
        patches = path(self._chain, gap.patches, page, by_id=by_id)
        if patches is not None:
            self._evidence.repaired_gaps += 1
            self._evidence.rounds = max(self._evidence.rounds, gap.rounds)
            self._line.patch(patches)
            return True
        if gap.waits:
            return True
        if gap.rounds >= MOST_ROUNDS or not effort.affords(pages):
            effort.stopped = True
            return False
        effort.extra += gap.next_round(page, self._chain, self._stride, by_id=by_id)
        self._look_ahead(pages, by_id)
        if gap.rounds == 1:
            effort.gaps += 1
            if effort.too_often(self._evidence.joins) and self._stride.widen():
                self._evidence.note("windows share more rows, as many did not join")
        return True

    def _judge(self, by_id: bool) -> None:
        pairs = [joined(one, slot.page, by_id=by_id) for one, slot in self._line.neighbours() if slot.page]
        evidence = self._evidence
        self._effort.judge(evidence.joins + sum(pairs), evidence.neighbours + len(pairs) + 1)

    def _look_ahead(self, pages: int, by_id: bool) -> None:
        """Begin with the gaps further on as well, so that they are closed by the time of their turn."""
        for before, slot in self._line.neighbours():
            page, gap = slot.page, slot.gap
            if page is None or gap.rounds or slot.mended or joined(before, page, by_id=by_id):
                continue
            if page.window.offset < self._stride.behind(before) and self._effort.affords(pages):
                self._effort.extra += gap.next_round(page, (before,), self._stride, by_id=by_id)
