"""What a pager gives out: pages whose turn has come, and what it was waiting for beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harvester.model import Page


@dataclass(frozen=True, slots=True)
class Ready:
    """A page whose turn has come, and the numbers of those of its rows that nobody gave before."""

    page: Page
    rows: list[int]
    confirms: bool = False
    """It was asked for only to see whether the page before was the last."""
    holes: tuple[int, ...] = ()
    """Offsets just before it that the server could not serve."""
    patch: bool = False
    """It was asked for to close a gap."""


Ahead = tuple[int, Sequence[tuple[int, int, bool]]]
"""The next offset of the plan, and the windows that are out: offset, limit, whether it confirms."""


def sound(page: Page) -> tuple[Sequence[str], Sequence[bytes]]:
    """The ids of rows that have one of their own, and their dates: a stand-in says nothing of the order."""
    if not page.flaws:
        return page.ids, page.versions
    sound = [row for row in range(len(page.ids)) if row not in page.flaws]
    return [page.ids[row] for row in sound], [page.versions[row] for row in sound]
