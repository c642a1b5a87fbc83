"""Servers that send rows again: for another offset, behind their end, or whatever is asked."""

from __future__ import annotations

from typing import Literal

from harvester.model import Page
from harvester.paging.stride import Stride

Repetition = Literal[
    "starts over", "does not page", "ignores the offset", "again behind its end", "last page"
]


def repetition(
    page: Page, first: Page, previous: Page, stride: Stride, total: int | None
) -> Repetition | None:
    """What a page without a new row says of its server; None where it may well lie within those before it."""
    if page.window.offset <= previous.window.offset:
        return None
    rows = list(page.ids)
    if rows == list(first.ids):
        if previous is not first:
            return "starts over"
        unpaged = total is None and len(first.ids) != stride.limit
        return "does not page" if unpaged else "ignores the offset"
    if stride.is_short(previous) and page.window.offset >= previous.end:
        return "again behind its end"
    return "last page" if rows == list(previous.ids) else None
