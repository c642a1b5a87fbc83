"""The pager: hands out windows, takes pages in any order, gives rows back in offset order, ends for certain.

A state machine without I/O: `wanted` says what to ask for now, `received` and `failed` take what came of it,
`ready` gives what can be written. It never waits and knows no clock, so that a million pulls can be fuzzed.

Windows overlap by `overlap` rows, and neighbouring pages must join (see `joins`). The ways in which servers
misbehave are each met here by name: a silent cap, a missing or wrong total, short and long pages, an ignored
offset, a last page that repeats, rows that can't be served. None of them makes it endless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harvester.errors import CeilingError, PagingError
from harvester.model import Certificate, Page, Window
from harvester.paging.certificate import Evidence, certify
from harvester.paging.line import Line, Slot
from harvester.paging.mending import Mender
from harvester.paging.order import OrderWitness
from harvester.paging.ready import Ahead, Ready, sound
from harvester.paging.repetition import repetition
from harvester.paging.seen import HistoryNeeded, Seen
from harvester.paging.stride import OVERLAP, Stride

__all__ = ["Ahead", "HistoryNeeded", "OffsetIgnoredError", "Pager", "Ready"]

MOST_PAGES = 2_000_000
MOST_REACHES = 5
MOST_POISONED = 100
"""Rows a server may fail to serve before we call it broken instead."""
STALLED = 3
"""Pages in a row that bring nothing new before we call the server endless."""


class OffsetIgnoredError(PagingError):
    """Another offset, the same rows: the server does not understand this spelling, or does not page."""


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
    _order: OrderWitness = field(init=False)
    _seen: Seen = field(init=False)
    _stride: Stride = field(init=False)
    _mender: Mender = field(init=False)
    _first: Page | None = None
    _previous: Page | None = None
    """the last page that had rows"""
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
    _reached_back: int = 0
    """Windows asked for to find the end of a table that had shrunk."""
    _patched: bool = False
    """The next page is joined by patches."""
    _news: bool = False
    """They held new rows."""
    _stalled: int = 0
    _asked: int = 0
    _ended: bool = False

    def __post_init__(self) -> None:
        self._stride = Stride(self.limit, self.overlap)
        self._order = OrderWitness(asked=self.order_asked is not None)
        self._seen = Seen(self._order)
        self._mender = Mender(self._line, self._evidence, self._order, self._stride)
        self._line.append(self._stride.window(0))

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
            while len(self._line) < 2 * self.width and self._next + self._stride.overlap < total:
                self._plan_next()
            return
        # A small collection without a total should cost few requests past its end.
        ahead = min(self.width, self._evidence.pages)
        while (
            len(self._line) < ahead and not self._stride.is_short(self._previous) and not self._looked_beyond
        ):
            self._plan_next()

    def _plan_next(self) -> None:
        self._line.append(self._stride.window(self._next))
        self._next += self._stride.step

    @property
    def _total(self) -> int | None:
        return self._evidence.total_last if self.trust_total else None

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
        self._line.failed(window, self._stride.overlap)

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
            if (
                not slot.mended
                and not self._hole
                and self._mender.gap(slot, page, self._previous, self._pages)
            ):
                if self._line.head() is slot:
                    return  # something is out that may close it
                continue
            if not slot.witnessed:
                self._order.see(*sound(page))
                slot.witnessed = True
            rows = self._seen.new_rows(page)  # may ask for history: nothing was changed until here
            self._line.pop()
            self._take(slot, page, rows)
            yield Ready(page, rows, slot.confirms, tuple(self._holes), slot.patch)
            self._holes.clear()
        if self._ended:
            self._line.clear()
        elif not len(self._line):
            self._go_on()

    def remember(self, ids: Iterable[str]) -> None:
        """Give the ids of all rows written so far, when `ready` asked for them."""
        self._seen.remember(ids)

    @property
    def _pages(self) -> int:
        """How many pages the collection has, as far as one can tell."""
        return max(self._evidence.pages, (self._total or 0) // self._stride.step)

    # ── what a page brings ──────────────────────────────────────────────────────────────────────────────

    def _take(self, slot: Slot, page: Page, rows: list[int]) -> None:
        self._tally(page, rows)
        if slot.patch:
            self._news |= bool(rows)
            self._link(page, chosen=True)
            self._patched = True
            return
        news, self._news = bool(rows) or self._news, False
        chosen, self._patched = self._patched, False
        if self._first is None:
            self._first = page
            self._mender.begin(page)
            self._take_first(page)
        elif news or not self._repeats(page):
            if page.ids and (news or not slot.confirms or not self._only_a_look(page)):
                self._link(page, chosen=chosen)
            self._look_for_end(slot, page, rows, news=news)
            if len(page.ids) > self._stride.effective:
                self._uncap(page)
        if page.ids:
            self._previous = page
            if news:
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

    def _link(self, page: Page, *, chosen: bool) -> None:
        self._mender.link(page, hole=self._hole, chosen=chosen)
        self._hole = False

    def _only_a_look(self, page: Page) -> bool:
        """Whether a page behind a short one shows nothing but its end: that is no link of the chain.

        Rows behind that end, though all seen before, are more: something moved, or nothing is fixed.
        """
        ends_alike = self._previous is not None and page.end <= self._previous.end
        return ends_alike and not self._reaches_back(page) and self._mender.continues(page)

    def _reaches_back(self, page: Page) -> bool:
        """Whether a look was meant to find the end of a table that had shrunk."""
        return self._previous is not None and page.window.offset < self._stride.behind(self._previous)

    def _tally(self, page: Page, rows: list[int]) -> None:
        evidence = self._evidence
        evidence.pages += 1
        evidence.unique += len(rows)
        evidence.duplicates += len(page.ids) - len(rows)
        evidence.longest = max(evidence.longest, len(page.ids))
        evidence.see_dates(page.versions)
        evidence.count_total(page.total)
        if self.trust_total and page.total is not None and page.total < page.end and rows:
            evidence.note(f"the stated total of {page.total} is too low")
            self.trust_total = False

    def _take_first(self, page: Page) -> None:
        rows, asked, total = len(page.ids), page.window.limit, self._total
        stride = self._stride
        if not rows:
            self._refute_total(0)
            self._end(proved=True)
        elif rows > asked:
            self._evidence.note(f"pages longer than asked for: {rows} rows instead of {asked}")
            stride.gives(rows)
            if total == rows:
                self._end(proved=True)
        elif total is not None and rows < asked:
            if total > rows:
                self._cap_at(rows)
            elif not _looks_cut(rows):
                self._end(proved=True)
        self._next = max(page.end, self._line.end) - stride.overlap

    def _cap_at(self, rows: int) -> None:
        self._evidence.note(f"silent cap: {rows} rows a page where {self._stride.limit} were asked for")
        self._stride.gives(rows)

    def _uncap(self, page: Page) -> None:
        """The first page was short for reasons of its own: windows as small as that are not needed."""
        much = len(page.ids) >= 2 * self._stride.effective
        self._evidence.note(f"pages fuller than the first: {len(page.ids)} rows")
        self._stride.gives(len(page.ids))
        if much:
            self._line.drop_unasked()
            self._next = max(page.end, self._line.end - self._stride.limit + len(page.ids))
            self._next -= self._stride.overlap

    def _repeats(self, page: Page) -> bool:
        """Whether the server sent rows that it had sent for another offset; sees to what follows."""
        first, previous = self._first, self._previous
        if not page.ids or first is None or previous is None:
            return False
        match repetition(page, first, previous, self._stride, self._total):
            case None:
                return False
            case "ignores the offset":
                raise OffsetIgnoredError(
                    f"the server ignores the offset: the rows at {page.window.offset} are those at 0",
                    advice="Ask the provider how it spells its paging parameters.",
                )
            case "does not page":
                self._evidence.note("the server does not page: the same list came for another offset")
                self._evidence.unpaged = True
                self._end(proved=False)
            case "starts over":
                self._evidence.note("the server starts over behind its end")
                self._end(proved=False)
            case "again behind its end":
                self._evidence.note("the server sends rows again behind its end")
                self._refute_total(previous.end)
                self._end(proved=True)  # a look behind a short page brought nothing new
            case "last page" if not self._stalled:
                return False  # the rows may have moved by just one page
            case "last page":
                self._evidence.note("the server repeats its last page")
                self._end(proved=False)
        return True

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    def _look_for_end(self, slot: Slot, page: Page, rows: list[int], *, news: bool) -> None:
        """A short page may be the last: the total must agree, or a look just behind it find nothing new."""
        if slot.confirms:
            junk = (not news or rows) and all(
                row in page.flaws for row in rows
            )  # what it adds to any page is no progress
            if junk and self._ends_at(page):
                self._refute_total(max(self._frontier, page.end))
                self._end(proved=True)
                return
            if news:
                self._shorter_than_thought(page)
        total = self._total
        if page.ids and self._stride.is_short(page) and total is not None and page.end >= total:
            self._end(proved=True)

    def _ends_at(self, page: Page) -> bool:
        """Whether a look that found nothing new proves the end. An empty one may only tell of deletions."""
        if self._reaches_back(page):
            return bool(page.ids) and self._stride.is_short(page)
        previous = self._previous
        return bool(page.ids) or self._total is not None or previous is None or self._surely_short(previous)

    def _surely_short(self, page: Page) -> bool:
        """Whether the server was seen to give more rows than that: else it may cap its pages just there."""
        return len(page.ids) < self._evidence.longest or len(page.ids) == 1

    def _shorter_than_thought(self, page: Page) -> None:
        """Behind a short page there was more: the server gives fewer rows than it is asked for."""
        previous = self._previous
        if previous is not None and len(page.ids) < self._stride.effective:
            self._cap_at(max(len(page.ids), len(previous.ids)))
        self._next = page.end - self._stride.overlap

    def _go_on(self) -> None:
        """The line has run dry: plan on, look behind the last page, or see that this was the end."""
        previous = self._previous
        if previous is None:
            if self._hole:  # the very first row is poisoned
                self._line.append(self._stride.window(self._frontier))
            return
        short = self._stride.is_short(previous)
        if self._hole:
            self._line.append(self._stride.window(self._frontier), confirms=True)
        elif self._looked_beyond:
            if short and self._total is None and self._surely_short(previous):
                self._end(proved=True)
            elif self._total is None or self._next <= self._stride.behind(previous) or not short:
                self._reach_back(previous)
            else:
                self._confirm(previous)
        elif short:
            self._confirm(previous)
        else:
            self._next = self._stride.behind(previous)
            self._plan_next()

    def _confirm(self, page: Page) -> None:
        self._line.append(self._stride.window(self._stride.behind(page)), confirms=True)

    def _reach_back(self, last: Page) -> None:
        """Even the rows that the last page had are gone: the table shrank under us. Where does it end now?"""
        self._reached_back += 1
        back = (self._stride.effective // 4 + 1) << self._reached_back
        if self._reached_back > MOST_REACHES or (self._reached_back > 1 and last.window.offset == 0):
            self._refute_total(self._frontier)
            self._end(proved=False)
            return
        start = min(last.end - back, self._stride.behind(last) - 1)
        self._line.append(self._stride.window(start), confirms=True)

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
            self._line.replay(ready.page, confirms=ready.confirms, patch=ready.patch)
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
        self._evidence.overlap = self._stride.widest
        return certify(self._evidence, self._order, order_asked=self.order_asked)


def _looks_cut(rows: int) -> bool:
    """Whether a short page has as many rows as a server may give at most: then its total may count the page.

    One collection in seven is looked behind for it, at the price of a request.
    """
    return rows >= 10 and (rows % 10 == 0 or rows % 25 == 0)
