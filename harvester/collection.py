"""One collection of one tenant, as its server lists it: fetches windows, and finds the dialect that works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from harvester.errors import FilterIgnoredError, RefusedError
from harvester.events import Observer, PageFetched
from harvester.http.fetch import Fetcher, Tally
from harvester.http.messages import Reply
from harvester.http.slices import page_of
from harvester.model import Page, Pull, Window
from harvester.providers.dialect import Provider, Resource
from harvester.spelling import Spelling

REFUSALS = frozenset({400, 404, 405, 406, 414, 422})
"""Statuses that may mean a parameter is not to the server's taste."""


@dataclass(slots=True)
class Collection:
    """What a pull asks. `spelling` changes while the first page finds out what the server takes."""

    pull: Pull
    provider: Provider
    resource: Resource
    url: str
    headers: Mapping[str, str]
    spelling: Spelling
    fetcher: Fetcher
    observe: Observer
    tally: Tally
    notes: list[str] = field(default_factory=list)
    links: bool = False
    """Whether the server gave a `next` link that is no window of ours: it can be read by links."""
    _pages: int = 0
    _peeked: Page | None = None

    @property
    def query(self) -> str:
        """What was asked, for the manifest: the parameters without the window."""
        asked = {**self.spelling.sort, **self.spelling.extra}
        return "&".join(f"{name}={value}" for name, value in asked.items())

    async def page(self, window: Window, *, attempts: int | None = None) -> Page:
        """The page of one window. Behind the first, a 404 is an empty page: so some servers say `the end`."""
        try:
            url = f"{self.url}?{self.spelling.query(window)}"
            page = await self._ask(url, window, attempts, linked=not window.offset)
        except RefusedError as refused:
            if refused.status != 404 or not window.offset or not self._pages:
                raise
            return Page(window, (), (), ())
        self._pages += 1
        return page

    async def peek(self) -> Page:
        """The first page, for a look: who asks for it next has it without a request."""
        self._peeked = await self.first()
        return self._peeked

    async def first(self) -> Page:
        """The first page, by the first spelling that the server takes; the refused ones are noted."""
        if self._peeked is not None:
            page, self._peeked = self._peeked, None
            return page
        try:
            return await self.page(Window(0, self.spelling.page_size))
        except RefusedError as refused:
            if refused.status not in REFUSALS:
                raise
            declared, refusal = self.spelling, refused
        for spelling, said in declared.alternatives():
            self.spelling = spelling
            try:
                page = await self.page(Window(0, spelling.page_size))
            except RefusedError as refused:
                if refused.status not in REFUSALS:
                    raise
                continue
            self.notes.append(said)
            return page
        if self.pull.since is not None:
            raise FilterIgnoredError("the server refuses to filter by date") from None
        raise refusal

    async def narrowed(self, own_filter: str, window: Window) -> Page:
        """A window of what a filter leaves; it stands in the place of the configured one."""
        spelling = replace(self.spelling, extra={**self.spelling.extra, "filter": own_filter})
        return await self._ask(f"{self.url}?{spelling.query(window)}", window, None, linked=False)

    def go_on(self, spelling: Spelling, notes: Sequence[str], *, links: bool) -> None:
        """Ask as an earlier process found out to ask."""
        self.spelling, self.notes[:], self.links = spelling, notes, links
        self._pages = 1

    def respell(self) -> bool:
        """Take the provider's next spelling of limit and offset; False when there is none left."""
        spellings = [
            (self.provider.paging.limit, self.provider.paging.offset),
            *self.provider.paging.spellings,
        ]
        following = spellings.index((self.spelling.limit, self.spelling.offset)) + 1
        if following >= len(spellings):
            return False
        limit, offset = spellings[following]
        self.notes.append(f"{self.spelling.offset} is ignored, {offset} is not")
        self.spelling = replace(self.spelling, limit=limit, offset=offset)
        return True

    async def follow(self, link: str, offset: int) -> Page:
        """The page behind a `next` link, for servers that page by nothing else."""
        return await self._ask(link, Window(offset, self.spelling.page_size), None, linked=True)

    async def _ask(self, url: str, window: Window, attempts: int | None, *, linked: bool) -> Page:
        def check(reply: Reply) -> Page:
            header = self.provider.paging.total_header
            page = page_of(reply, self.resource.key, window, header, linked=linked)
            self.links = self.links or _leads_on(page.next_link, self.spelling.offset)
            self.observe(PageFetched(self.pull, window.offset, len(page.ids), len(reply.body), reply.took))
            return page

        page = await self.fetcher.get(
            self.pull, url, headers=self.headers, check=check, tally=self.tally, attempts=attempts
        )
        if self.pull.since is not None and is_older(page.versions, self.pull.since):
            raise FilterIgnoredError("the server ignores the filter by date: it sends what is older")
        if self.pull.until is not None and is_newer(page.versions, self.pull.until):
            raise FilterIgnoredError("the server ignores the filter by date: it sends what is newer")
        return page


def is_older(versions: Sequence[bytes], since: str) -> bool:
    """Whether a row is more than a day older than asked for: some servers compare days, not moments."""
    oldest = _moment(min(filter(None, versions), default=b""))
    return oldest is not None and oldest < _aware(datetime.fromisoformat(since)) - timedelta(days=1)


def is_newer(versions: Sequence[bytes], until: str) -> bool:
    """Whether a row is more than a day newer than asked for."""
    newest = _moment(max(versions, default=b""))
    return newest is not None and newest > _aware(datetime.fromisoformat(until)) + timedelta(days=1)


def _moment(stamp: bytes) -> datetime | None:
    try:
        moment = datetime.fromisoformat(stamp.decode(errors="replace"))
    except ValueError:
        return None
    return _aware(moment)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _leads_on(link: str | None, offset: str) -> bool:
    """Whether a `next` link is more than a window of ours: the server has a cursor of its own."""
    if link is None:
        return False
    return offset.lower() not in {name.lower() for name, _ in parse_qsl(urlsplit(link).query)}
