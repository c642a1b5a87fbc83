"""What was used of each quota, kept in the state folder so that it outlives the run.

The invariant: `used` on disk >= requests really sent, at any moment, whoever dies. A block is added to `used`
and synced before its first request goes, and what was not sent of it is taken back afterwards. So nobody has
to find out whether the owner of a block is still alive, and several processes may use one ledger.
"""

from __future__ import annotations

import asyncio
import copy
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from harvester.clock import Clock
from harvester.errors import QuotaError, SinkError
from harvester.events import Observer, QuotaAlert
from harvester.model import Limits
from harvester.pacing.quota import Account, Block, Kind, block_size, marks_passed, period_at, quotas

FILE = "quota.sqlite"
_VERSION = 1
_SCHEMA = """
create table if not exists used (
    application text not null,
    kind text not null,
    start text not null,
    used integer not null default 0,
    marked integer not null default 0,
    primary key (application, kind, start)
) without rowid
"""


Spare = Callable[[str, float], Mapping[Kind, int]]
"""(application, seconds since the epoch) -> how much of each quota is to be left to others."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A block set aside (empty: a quota is spent), what the accounts say now, and who must be told."""

    block: Block
    accounts: tuple[Account, ...]
    alerts: tuple[tuple[Account, int], ...]


class Ledger:
    """Opened on first use, so that who has no quota never sees the file. `folder` None keeps it in memory.

    Its methods sync to disk (0.3 to 5 ms, much more under load), so they are called from a thread; a lock
    makes that safe.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def reserve(
        self, application: str, limits: Limits, wall: float, spared: Mapping[Kind, int] | None = None
    ) -> Reservation:
        """Set a block aside in every period that has a quota, but for what is `spared`.

        Durable when this returns.
        """
        spared = spared or {}
        with self._transaction() as database:
            found = _accounts(database, application, limits, wall)
            accounts = [replace(a, spared=spared.get(a.period.kind, 0)) for a in found]
            size = block_size(accounts)
            after = tuple(replace(account, used=account.used + size) for account in accounts)
            alerts = tuple((account, mark) for account in after for mark in marks_passed(account))
            for account in after:
                marked = max([account.marked, *marks_passed(account)])
                database.execute(
                    "insert into used values (?, ?, ?, ?, ?) on conflict do update"
                    " set used = excluded.used, marked = excluded.marked",
                    (application, account.period.kind, account.period.start, account.used, marked),
                )
        return Reservation(Block(tuple(a.period for a in after), size), after, alerts)

    def give_back(self, application: str, block: Block) -> None:
        """Settle: what of the block was not sent was not used."""
        unsent, block.left = block.left, 0
        if unsent <= 0:
            return
        with self._transaction() as database:
            for period in block.periods:
                database.execute(
                    "update used set used = max(0, used - ?)"
                    " where application = ? and kind = ? and start = ?",
                    (unsent, application, period.kind, period.start),
                )

    def accounts(self, application: str, limits: Limits, wall: float) -> tuple[Account, ...]:
        """What each quota has left: for plans and reports."""
        with self._transaction() as database:
            return _accounts(database, application, limits, wall)

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction; SQLite's errors become ours here, and only here."""
        with self._lock:
            try:
                database = self._database = self._database or _open(self._path)
                try:
                    database.execute("begin immediate")
                    yield database
                    database.execute("commit")
                except BaseException:
                    # Closing rolls back, and what could not be rolled back is not used again.
                    self._database = None
                    database.close()
                    raise
            except (sqlite3.Error, OSError) as error:
                raise SinkError(
                    f"the quota ledger can't be read or written ({error})",
                    where=str(self._path or "memory"),
                    advice="Check the disk and the permissions of the state folder; if the file is damaged,"
                    " move it away, and this period is counted from zero",
                ) from None


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        # Made by us first: SQLite would make it readable for all, and gives -wal and -shm the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    database = sqlite3.connect(
        ":memory:" if path is None else path, timeout=10.0, isolation_level=None, check_same_thread=False
    )
    try:
        (version,) = database.execute("pragma user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"its version is {version}, we know {_VERSION}")
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute(_SCHEMA)
        database.execute(f"pragma user_version = {_VERSION}")
    except BaseException:
        database.close()
        raise
    return database


def _accounts(
    database: sqlite3.Connection, application: str, limits: Limits, wall: float
) -> tuple[Account, ...]:
    found = []
    for kind, quota in quotas(limits):
        period = period_at(kind, wall)
        row = database.execute(
            "select used, marked from used where application = ? and kind = ? and start = ?",
            (application, kind, period.start),
        ).fetchone()
        used, marked = row or (0, 0)
        found.append(Account(period, quota, used, marked))
    return tuple(found)


class Purse:
    """A governor's hand in the ledger: a block in memory; when it is used up, a thread fetches the next.

    A plain future, no task and no anyio: the governor's pump awaits nothing, and a simulated loop can run the
    fetch in line.
    """

    def __init__(
        self,
        application: str,
        limits: Limits,
        ledger: Ledger,
        *,
        clock: Clock,
        observe: Observer,
        ready: Callable[[], None],
        spare: Spare | None = None,
    ) -> None:
        """`ready` is called when it makes sense to `take` again; `spare` is asked in a thread."""
        self._application = application
        self._limits = limits
        self._ledger = ledger
        self._clock = clock
        self._observe = observe
        self._ready = ready
        self._spare = spare
        self._block = Block((), 0)
        self._fetching: asyncio.Future[Reservation] | None = None
        self._spent: Account | None = None
        self._broken: BaseException | None = None

    def take(self) -> Literal["taken", "wait", "refused"]:
        """Use one request. `wait`: `ready` will be called; `refused`: `why` tells."""
        wall = self._clock.wall()
        if self._block.take(wall):
            return "taken"
        if self._broken or (self._spent and self._spent.period.begins <= wall < self._spent.period.ends):
            return "refused"
        if self._fetching is None:
            loop = asyncio.get_running_loop()
            self._fetching = loop.run_in_executor(None, self._fetch, self._block, wall)
            self._fetching.add_done_callback(self._fetched)
        return "wait"

    def why(self) -> BaseException:
        """Why `take` refuses, as an error of the caller's own."""
        if self._broken or not self._spent:
            return copy.copy(self._broken) or AssertionError("nothing was refused")
        account = self._spent
        word = "daily" if account.period.kind == "day" else "monthly"
        anew = datetime.fromtimestamp(account.period.ends, UTC)
        but = f", but for {account.spared} left to the runs" if account.spared else ""
        return QuotaError(
            f"the {word} quota of {account.quota} requests is spent{but} ({account.used} used)",
            where=f"application {self._application}",
            advice=f"It begins anew at {anew:%Y-%m-%d %H:%M} UTC; what is unfinished can be resumed then",
        )

    async def aclose(self) -> None:
        """Settle: give back what was set aside and not sent."""
        if self._fetching is not None:
            await asyncio.wait([self._fetching])
        if self._block.left:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._ledger.give_back, self._application, self._block)

    def _fetch(self, old: Block, wall: float) -> Reservation:
        self._ledger.give_back(self._application, old)  # of yesterday
        spared = None if self._spare is None else self._spare(self._application, wall)
        return self._ledger.reserve(self._application, self._limits, wall, spared)

    def _fetched(self, future: asyncio.Future[Reservation]) -> None:
        self._fetching = None
        if future.cancelled():
            return
        self._broken = future.exception()
        if self._broken is not None:
            self._ready()
            return
        reservation = future.result()
        self._block = reservation.block
        self._spent = next((account for account in reservation.accounts if not account.left), None)
        self._ready()
        for account, mark in reservation.alerts:
            kind = account.period.kind
            self._observe(QuotaAlert(self._application, kind, account.used, account.quota, mark))
