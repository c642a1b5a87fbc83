"""The pager: hands out windows, takes pages in any order, gives rows back in offset order, ends for certain.

A state machine without I/O: `wanted` says what to ask for now, `received` and `failed` take what came of it,
`ready` gives what can be written. It never waits and knows no clock, so that a million pulls can be fuzzed.

Windows overlap by `overlap` rows, and neighbouring pages must join (see `joins`). The ways in which servers
misbehave are each met here by name: a silent cap, a missing or wrong total, short and long pages, an ignored
offset, a last page that repeats, rows that can't be served. None of them makes it endless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from harvester.errors import CeilingError, PagingError
from harvester.model import Certificate, Page, Window
from harvester.paging.certificate import Evidence, certify
from harvester.paging.joins import join
from harvester.paging.line import Line, Slot
from harvester.paging.order import OrderWitness
from harvester.paging.seen import HistoryNeeded, Seen

__all__ = ["HistoryNeeded", "OffsetIgnoredError", "Pager", "Ready"]

OVERLAP = 2
"""Rows that neighbouring windows share: one joins, two check the order as well."""
MOST_PAGES = 2_000_000
MOST_POISONED = 100
"""Rows a server may fail to serve before we call it broken instead."""
STALLED = 3
"""Pages in a row that bring nothing new before we call the server endless."""


class OffsetIgnoredError(PagingError):
    """Another offset, the same rows: the server does not understand this spelling, or does not page."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A page whose turn has come, and the numbers of those of its rows that nobody gave before."""

    page: Page
    rows: list[int]
    confirms: bool = False
    """It was asked for only to see whether the page before was the last."""
    holes: tuple[int, ...] = ()
    """Offsets just before it that the server could not serve."""


Ahead = tuple[int, Sequence[tuple[int, int, bool]]]
"""The next offset of the plan, and the windows that are out: offset, limit, whether it confirms."""


@dataclass(slots=True)
class Pager:
    """One collection, from its first window to its certificate."""

    limit: int
    """rows asked for in one window"""
    width: int = 8
    """windows in flight at once"""
    overlap: int = OVERLAP
    order_asked: str | None = None
    trust_total: bool = True
    """False where a filter is asked for: many servers then still state the unfiltered size."""
    _line: Line = field(default_factory=Line)
    _evidence: Evidence = field(default_factory=Evidence)
    _order: OrderWitness = field(default_factory=OrderWitness)
    _seen: Seen = field(init=False)
    _first: Page | None = None
    _previous: Page | None = None
    """the last page that had rows"""
    _effective: int = 0
    """rows that the server really gives at most"""
    _most_overlap: int = 0
    _next: int = 0
    """the next offset of the plan"""
    _frontier: int = 0
    """everything below this offset is settled"""
    _holes: list[int] = field(default_factory=list)
    """Rows that could not be served since the last page was taken."""
    _hole: bool = False
    """A row could not be served just before the next page."""
    _looked_beyond: bool = False
    """The last page taken was empty."""
    _stalled: int = 0
    _asked: int = 0
    _ended: bool = False

    def __post_init__(self) -> None:
        self.limit = max(1, self.limit)
        self.overlap = self._most_overlap = min(self.overlap, self.limit - 1)
        self._effective = self.limit
        self._seen = Seen(self._order)
        self._line.append(Window(0, self.limit))

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────

    def wanted(self) -> list[Window]:
        """The windows to ask for now. Each is given out once."""
        self._extend()
        windows = self._line.ask(self.width - self._line.flying)
        self._asked += len(windows)
        if self._asked > MOST_PAGES:
            raise CeilingError(f"more than {MOST_PAGES:,} pages", advice="Ask for larger pages.")
        return windows

    def _extend(self) -> None:
        """Plan ahead: all that the total promises; without one, as many windows as pages have come."""
        if self._ended or self._previous is None or self._line.confirming:
            return
        total = self._total
        if total is not None:
            while len(self._line) < 2 * self.width and self._next + self.overlap < total:
                self._plan_next()
            return
        # A small collection without a total should cost few requests past its end.
        ahead = min(self.width, self._evidence.pages)
        while len(self._line) < ahead and not self._is_short(self._previous) and not self._looked_beyond:
            self._plan_next()

    def _plan_next(self) -> None:
        self._line.append(Window(self._next, self.limit))
        self._next += max(1, self._effective - self.overlap)

    @property
    def _total(self) -> int | None:
        return self._evidence.total_last if self.trust_total else None

    def _is_short(self, page: Page) -> bool:
        """Whether the server could have put more rows into the page, and did not."""
        excess = max(0, self._effective - self.limit)  # of a server that gives more than it is asked for
        return len(page.ids) < min(page.window.limit + excess, self._effective)

    @property
    def done(self) -> bool:
        """Whether the end was reached; `certificate` then says what that is worth."""
        return self._ended

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────

    def received(self, page: Page) -> None:
        """Take the page of one window, in any order."""
        self._line.received(page)

    def failed(self, window: Window) -> None:
        """The server can't serve this window: it is halved, down to the rows at fault."""
        self._line.failed(window, self.overlap)

    def ready(self) -> Iterator[Ready]:
        """Pages whose turn has come, in offset order.

        Raises `HistoryNeeded` (call `remember`, then `ready` again), `OffsetIgnoredError`, `PagingError`.
        """
        while not self._ended and (slot := self._line.head()) is not None:
            page = slot.page
            if page is None:
                self._line.pop()
                self._poisoned(slot.window.offset)
                continue
            if self._fill_gap(slot, page):
                return
            if not slot.witnessed:
                self._order.see(_sound(page))
                slot.witnessed = True
            rows = self._seen.new_rows(page)  # may ask for history: nothing was changed until here
            self._line.pop()
            self._take(slot, page, rows)
            yield Ready(page, rows, slot.confirms, tuple(self._holes))
            self._holes.clear()
        if self._ended:
            self._line.clear()
        elif not len(self._line):
            self._go_on()

    def remember(self, ids: Iterable[str]) -> None:
        """Give the ids of all rows written so far, when `ready` asked for them."""
        self._seen.remember(ids)

    def _fill_gap(self, slot: Slot, page: Page) -> bool:
        """Ask for the rows between the previous page's end and this page, if there is a gap.

        A server that gives fewer rows than it did before leaves one that the plan could not foresee.
        """
        previous = self._previous
        if previous is None or not page.ids or self._hole:
            return False
        start = self._behind(previous)
        if page.window.offset <= start or start <= slot.gap_from:  # the second: asking again brought nothing
            return False
        slot.gap_from = start
        self._evidence.note("shorter pages in the middle")
        self._line.put_first(Window(start, self.limit))
        return True

    def _behind(self, page: Page) -> int:
        """Where the next window starts so that it shares rows with `page`."""
        return max(page.end - min(self.overlap, len(page.ids) - 1), page.window.offset + 1)

    def _take(self, slot: Slot, page: Page, rows: list[int]) -> None:
        self._tally(page, rows)
        if self._first is None:
            self._first = page
            self._take_first(page)
        elif not self._repeats(page, rows):
            if page.ids and (rows or not slot.confirms):  # a look that found nothing is no link of the chain
                self._count_join(page)
            self._look_for_end(slot, page, rows)
            if len(page.ids) >= 2 * self._effective:
                self._uncap(page)
        if page.ids:
            self._previous = page
            if rows:
                self._stalled = 0
            elif page.end > self._frontier:  # a page may well lie within those before it
                self._stalled += 1
        self._looked_beyond = not page.ids
        self._frontier = max(self._frontier, page.end)
        if self._stalled >= STALLED and not self._ended:
            raise PagingError(
                f"{STALLED} pages in a row brought no new record, at offset {page.window.offset}",
                advice="The server seems to repeat itself; ask the provider how it pages.",
            )

    def _tally(self, page: Page, rows: list[int]) -> None:
        evidence = self._evidence
        evidence.pages += 1
        evidence.unique += len(rows)
        evidence.duplicates += len(page.ids) - len(rows)
        evidence.count_total(page.total)
        if self.trust_total and page.total is not None and page.total < page.end and rows:
            evidence.note(f"the stated total of {page.total} is too low")
            self.trust_total = False

    def _take_first(self, page: Page) -> None:
        rows, asked, total = len(page.ids), page.window.limit, self._total
        self._next = max(page.end, self._line.end) - self.overlap
        if not rows:
            self._refute_total(0)
            self._end(proved=True)
        elif rows > asked:
            self._evidence.note(f"pages longer than asked for: {rows} rows instead of {asked}")
            self._effective = rows
            if total == rows:
                self._end(proved=True)
        elif total is not None and rows < asked:
            if total <= rows:
                self._end(proved=True)
            else:
                self._cap_at(rows)
                self._next = page.end - self.overlap

    def _cap_at(self, rows: int) -> None:
        self._evidence.note(f"silent cap: {rows} rows a page where {self.limit} were asked for")
        self._effective = rows
        self.overlap = min(self.overlap, rows - 1)

    def _uncap(self, page: Page) -> None:
        """The first page was short for reasons of its own: windows as small as that would never end."""
        self._evidence.note(f"pages fuller than the first: {len(page.ids)} rows")
        self._effective = len(page.ids)
        self.overlap = min(self._most_overlap, self._effective - 1)
        self._line.drop_unasked()
        self._next = max(page.end, self._line.end - self.limit + self._effective) - self.overlap

    def _repeats(self, page: Page, rows: list[int]) -> bool:
        """Whether the server sent rows that it had sent for another offset; sees to what follows."""
        first, previous = self._first, self._previous
        if rows or not page.ids or first is None or previous is None:
            return False
        if page.window.offset <= previous.window.offset:
            return False
        if list(page.ids) == list(first.ids):
            if previous is not first:
                self._evidence.note("the server starts over behind its end")
                self._end(proved=False)
            elif self._total is None and len(first.ids) != self.limit:
                self._evidence.note("the server does not page: the same list came for another offset")
                self._evidence.unpaged = True
                self._end(proved=False)
            else:
                raise OffsetIgnoredError(
                    f"the server ignores the offset: the rows at {page.window.offset} are those at 0",
                    advice="Ask the provider how it spells its paging parameters.",
                )
            return True
        if self._is_short(previous) and page.window.offset >= previous.end:
            self._evidence.note("the server sends rows again behind its end")
            self._refute_total(previous.end)
            self._end(proved=True)  # a look behind a short page brought nothing new
            return True
        if list(page.ids) == list(previous.ids):
            self._evidence.note("the server repeats its last page")
            self._end(proved=False)
            return True
        return False

    def _count_join(self, page: Page) -> None:
        previous = self._previous
        if previous is None or self._hole:
            self._hole = False
            self._evidence.count_join("none", "none")
        else:
            self._evidence.count_join(join(previous, page, by_id=True), join(previous, page, by_id=False))

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    def _look_for_end(self, slot: Slot, page: Page, rows: list[int]) -> None:
        """A short page may be the last: the total must agree, or a look just behind it find nothing new."""
        if slot.confirms:
            if all(row in page.flaws for row in rows):  # junk that it adds to any page is no progress
                self._refute_total(max(self._frontier, page.end))
                self._end(proved=True)
                return
            self._shorter_than_thought(page)
        total = self._total
        if page.ids and self._is_short(page) and total is not None and page.end >= total:
            self._end(proved=True)

    def _shorter_than_thought(self, page: Page) -> None:
        """Behind a short page there was more: the server gives fewer rows than it is asked for."""
        previous = self._previous
        if previous is not None and len(page.ids) < self._effective:
            self._cap_at(max(len(page.ids), len(previous.ids)))
        self._next = page.end - self.overlap

    def _go_on(self) -> None:
        """The line has run dry: plan on, look behind the last page, or see that this was the end."""
        previous = self._previous
        if previous is None:
            if self._hole:  # the very first row is poisoned
                self._line.append(Window(self._frontier, self.limit))
            return
        if self._hole:
            self._line.append(Window(self._frontier, self.limit), confirms=True)
        elif self._looked_beyond:
            if self._is_short(previous) and self._total is None:
                self._end(proved=True)
            elif self._next <= self._behind(previous) or not self._is_short(previous):
                # Even the rows that the last page had are gone: the table shrank under us.
                self._refute_total(self._frontier)
                self._end(proved=False)
            else:
                self._confirm(previous)
        elif self._is_short(previous):
            self._confirm(previous)
        else:
            self._next = self._behind(previous)
            self._plan_next()

    def _confirm(self, page: Page) -> None:
        self._line.append(Window(self._behind(page), self.limit), confirms=True)

    def _refute_total(self, end: int) -> None:
        total = self._total
        if total is not None and total > end:
            self._evidence.refuted = True

    def _end(self, *, proved: bool) -> None:
        self._ended = True
        self._evidence.tail_proved = proved

    def _poisoned(self, offset: int) -> None:
        evidence = self._evidence
        if offset not in evidence.poisoned:
            evidence.poisoned.append(offset)
        self._hole = True
        self._holes.append(offset)
        self._frontier = max(self._frontier, offset + 1)
        if len(evidence.poisoned) > MOST_POISONED:
            raise PagingError(
                f"the server fails at more than {MOST_POISONED} rows, from offset {evidence.poisoned[0]} on",
                advice="This is no single bad record; tell the provider.",
            )

    # ── going on where an earlier process stopped ───────────────────────────────────────────────────────

    @property
    def ahead(self) -> Ahead:
        """What is out beyond the page that was taken last: with the pages taken, the whole state."""
        return self._next, self._line.outstanding()

    def replay(self, ready: Ready) -> list[int]:
        """Take a page again that an earlier pager gave as ready; the numbers of its new rows.

        Raises `HistoryNeeded` as `ready` does. After the last one, call `go_on`.
        """
        waiting = self._line.head()
        if (
            waiting is None or waiting.page is not ready.page
        ):  # else it waits for `remember` since the last call
            for offset in ready.holes:
                self._poisoned(offset)
            self._line.replay(ready.page, confirms=ready.confirms)
        again = next(self.ready())
        self._holes.clear()
        return again.rows

    def go_on(self, ahead: Ahead) -> None:
        """Ask for what the earlier pager was waiting for."""
        self._next, windows = ahead
        self._line.clear()
        for offset, limit, confirms in windows:
            self._line.append(Window(offset, limit), confirms=confirms)

    # ── the claim ───────────────────────────────────────────────────────────────────────────────────────

    def note(self, what: str) -> None:
        """Add an oddity to the certificate, e.g. a sort that was refused."""
        self._evidence.note(what)

    @property
    def evidence(self) -> Evidence:
        """The counts so far."""
        return self._evidence

    def certificate(self) -> Certificate:
        """What this pull may claim. Call it when `done`."""
        return certify(
            self._evidence, order_asked=self.order_asked, order_seen=self._order.seen, pairs=self._order.pairs
        )


def _sound(page: Page) -> Sequence[str]:
    """The ids of rows that have one of their own: a stand-in says nothing about the order."""
    return [row_id for i, row_id in enumerate(page.ids) if i not in page.flaws] if page.flaws else page.ids
