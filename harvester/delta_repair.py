"""Making a pull whole whose order does not hold modified rows in place: what changed meanwhile is asked for.

Where pages are joined in an order that is not by id, every row that nobody modified is there; one that was
modified may have jumped over the cursor. It then bears a new date, so a second, small pull brings it:
everything that was modified since a little before the first answer, by the server's own clock. What changes
while that is read is asked for again, until less than a page comes or the answer is proved by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from harvester.collection import Collection
from harvester.errors import FilterIgnoredError, PagingError, RefusedError
from harvester.http.fetch import Tally
from harvester.lines import Lines
from harvester.model import Certificate, Delta, Page, Window
from harvester.window_reading import read_windows

MARGIN = timedelta(minutes=10)
"""Rows are stamped when their transaction begins and seen when it commits; clocks differ as well."""
MOST_ROUNDS = 3
MOST_CHANGED = 100_000
"""Rows that are kept in memory; where more have changed, a new pull is the better repair."""


async def repair_by_delta(collection: Collection, lines: Lines, certificate: Certificate) -> Certificate:
    """Bring in what was modified during a pull, if that makes it whole: the new certificate.

    Where it does not, the old one, with the reason. Raises what reading a page raises.
    """
    if certificate.scope != "unmodified" or not _askable(collection):
        return certificate
    repair = _Repair(collection, certificate)
    why = await repair.read()
    if why is not None:
        return replace(certificate, notes=(*certificate.notes, f"no delta repair: {why}"))
    added = await lines.replace({row_id: record for row_id, (_, record) in repair.changed.items()})
    return replace(
        certificate,
        verdict="repaired",
        scope="unmodified+delta",
        why="joined from head to tail for unmodified rows, and a delta brought in the others",
        unique=certificate.unique + added,
        delta=Delta(repair.since, len(repair.changed), repair.rounds),
    )


def _askable(collection: Collection) -> bool:
    """Whether what changed since a time can be asked for; the language has no brackets for an OR."""
    pull, asked = collection.pull, collection.spelling.extra.get("filter", "")
    dated = pull.since is not None or pull.until is not None
    return collection.provider.dates(pull.resource) and not dated and " OR " not in asked.upper()


@dataclass(slots=True)
class _Repair:
    collection: Collection
    certificate: Certificate
    since: str = ""
    """From when on the first round asked."""
    rounds: int = 0
    _came: int = 0
    """Rows of the round's first page: fewer than the server can give are all that there are."""
    changed: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Id -> version and record."""

    async def read(self) -> str | None:
        """Read what changed, in rounds; why it is not all there, or None when it is."""
        began = self.collection.tally.first_date
        while self.rounds < MOST_ROUNDS:
            if began is None:
                return "the server does not state its clock"
            since = self._mark(began)
            self.since = self.since or since
            tally = Tally()
            try:
                claim = await read_windows(self._since(since, tally), self)
                if not self.changed and not await self._finds_the_newest(tally):
                    return "the filter by date does not find the newest record"
            except (FilterIgnoredError, RefusedError, PagingError) as error:
                return error.what
            finally:
                self._count(tally)
            self.rounds += 1
            if len(self.changed) > MOST_CHANGED:
                return f"more than {MOST_CHANGED:,} records were modified"
            if claim.verdict == "certified" or self._came < self.certificate.longest:
                return None
            began = tally.first_date
        return f"records change faster than they can be read, after {MOST_ROUNDS} rounds"

    def _mark(self, began: float) -> str:
        mark = datetime.fromtimestamp(began, UTC) - MARGIN
        if self.certificate.day_stamps:
            return mark.date().isoformat()
        return mark.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _since(self, since: str, tally: Tally) -> Collection:
        """The collection, less what was last modified before."""
        whole = self.collection
        asked = [f"dateLastModified>='{since}'", whole.spelling.extra.get("filter", "")]
        extra = {**whole.spelling.extra, "filter": " AND ".join(filter(None, asked))}
        spelling = replace(whole.spelling, extra=extra)
        pull = replace(whole.pull, since=since)
        return replace(whole, pull=pull, spelling=spelling, tally=tally, notes=[])

    async def _finds_the_newest(self, tally: Tally) -> bool:
        """Whether the filter finds anything at all: an empty answer may mean that it was not understood."""
        newest = self.certificate.newest
        return bool((await self._since(newest, tally).page(Window(0, 1))).ids)

    def _count(self, tally: Tally) -> None:
        total = self.collection.tally
        total.requests += tally.requests
        total.retries += tally.retries
        total.throttled += tally.throttled
        total.received += tally.received
        total.max_age = max(total.max_age, tally.max_age)

    # ── what a reader writes to ─────────────────────────────────────────────────────────────────────────

    async def write(self, page: Page, rows: Sequence[int]) -> None:
        if not page.window.offset:
            self._came = len(page.ids)
        for row in rows:
            row_id, version = page.ids[row], page.versions[row]
            known = self.changed.get(row_id)
            if row not in page.flaws and (known is None or version >= known[0]):
                self.changed[row_id] = version, bytes(page.records[row])

    def note(self, entry: dict[str, Any]) -> None:
        """A delta is read anew when a pull is resumed."""

    async def ids_written(self) -> list[str]:
        return list(self.changed)
