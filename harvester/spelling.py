"""How one window is spelled in one server's dialect, and what to try when the server refuses the spelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from harvester.auth.oauth1 import encode_query, escape
from harvester.model import Application, Pull, Window
from harvester.providers.dialect import Paging, Provider


@dataclass(frozen=True, slots=True)
class Spelling:
    """The parameters of a collection's requests."""

    limit: str
    offset: str
    page_size: int
    sort: Mapping[str, str]
    order: str | None
    extra: Mapping[str, str]
    """`filter` and `fields`, as configured."""

    def query(self, window: Window) -> str:
        """The query string, percent-encoded to the letter: it is signed as it is sent."""
        rest = _rest(*self.sort.items(), *self.extra.items())
        return f"{escape(self.limit)}={window.limit}&{escape(self.offset)}={window.offset}{rest}"

    def alternatives(self) -> Iterator[tuple[Spelling, str]]:
        """What to try, in turn, when the server refuses the first page; and how to say so."""
        if self.sort:
            unsorted = replace(self, sort={}, order=None)
            yield unsorted, "sort refused"
            if self.page_size > _SAFE_SIZE:
                yield replace(self, page_size=_SAFE_SIZE), f"limit stepped down to {_SAFE_SIZE}"
                yield replace(unsorted, page_size=_SAFE_SIZE), f"sort refused, limit {_SAFE_SIZE}"
        elif self.page_size > _SAFE_SIZE:
            yield replace(self, page_size=_SAFE_SIZE), f"limit stepped down to {_SAFE_SIZE}"


@lru_cache(maxsize=1024)
def _rest(*parameters: tuple[str, str]) -> str:
    """What the queries of all pages end in."""
    return f"&{encode_query(parameters)}" if parameters else ""


_SAFE_SIZE = 100
"""OneRoster's default limit: no server refuses it."""


def spell(provider: Provider, application: Application, pull: Pull) -> Spelling:
    """The spelling as declared by the provider, adjusted by the application's configuration, for one pull."""
    paging: Paging = provider.paging
    size = application.limits.page_size or provider.limits.page_size or paging.page_size
    sorted_by = dict(paging.sort) if application.sort is not False else {}
    wanted = " AND ".join([*_dated(pull), *([application.filter] if application.filter else [])])
    extra = {"filter": wanted} if wanted else {}
    if application.fields:
        extra["fields"] = ",".join(application.fields)
    return Spelling(
        limit=paging.limit,
        offset=paging.offset,
        page_size=min(size, paging.largest) if paging.largest else size,
        sort=sorted_by,
        order=paging.order if sorted_by else None,
        extra=extra,
    )


def combinable(application: Application) -> bool:
    """Whether the configured filter can be narrowed by dates: the language has no brackets for an OR."""
    return application.filter is None or " OR " not in application.filter.upper()


def _dated(pull: Pull) -> Iterator[str]:
    if pull.since is not None:
        yield f"dateLastModified>='{pull.since}'"
    if pull.until is not None:
        yield f"dateLastModified<'{pull.until}'"
