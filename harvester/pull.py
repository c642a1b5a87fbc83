"""One pull, from its first page to its manifest: stage, read, make durable, certify, commit.

A pull that fails leaves nothing visible, and touches no other pull.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from harvester.access import Access
from harvester.child_reading import read_children
from harvester.clock import Clock
from harvester.collection import Collection
from harvester.commit import Account, Outcome, State, commit
from harvester.comparison import Side, by_id, compare, compared_in_manifest
from harvester.config.guards import Guards
from harvester.delta_repair import repair_by_delta
from harvester.dialects import Dialects
from harvester.document_reading import read_document
from harvester.errors import FilterIgnoredError, HarvesterError, QuotaError, SinkError
from harvester.events import Notice, Observer, PullFinished, PullStarted
from harvester.guarding import Comparison, Reason, reasons
from harvester.history import History
from harvester.http.fetch import Tally
from harvester.keyset_reading import Choice, is_possible
from harvester.lines import Lines
from harvester.lookups import Lookup, audit, close, dangling
from harvester.model import Certificate, Part, Pull, Run, Verdict
from harvester.providers.dialect import Resource
from harvester.reading import go_on_reading, read_best, read_collection
from harvester.sinks.page_journal import PageJournal, StaleError
from harvester.sinks.sink import Sink, Staged


@dataclass(frozen=True, slots=True)
class Harvest:
    """What all pulls of a run share."""

    run: Run
    sink: Sink
    clock: Clock
    observe: Observer
    require: Verdict
    journals: Path
    """Where the run's pulls journal their pages."""
    guards: Guards
    shape: str
    """How the sink cuts and packs parts: pages can't be added to parts of another shape."""
    dialects: Dialects
    """What was found out about the sources."""
    resumed: bool = False
    """Whether an earlier process of this run may have left something to go on with."""
    begun: dict[str, anyio.Event] = field(default_factory=dict)
    """Pull key -> set once it has ended, of the pulls that this process has begun."""


@dataclass(slots=True)
class Stage:
    """A pull's place in the sink until it is committed. Reading may have to begin again: `fresh`."""

    harvest: Harvest
    pull: Pull
    resource: Resource
    asked: str
    """The address and everything else that the configuration says of the pull's requests."""
    tally: Tally
    started: float
    staged: Staged | None = None

    async def history(self) -> History | None:
        """What an earlier process of the run had read, if there is something to go on with."""
        if not self.harvest.resumed:
            return None
        staged = self.harvest.sink.restage(self.pull, self.harvest.run, self._journal())
        try:
            notes = await staged.writer.recover()
        except StaleError as stale:
            self.start_over(stale)
            return None
        if not notes:
            return None
        self.staged = staged
        assert staged.journal is not None
        self.started = staged.journal.began
        return History(Lines(staged.writer, self.resource.key), notes)

    def start_over(self, stale: StaleError) -> None:
        """Say why what lies there can't be gone on with."""
        what = f"the pull starts over, as its journal can't be gone on with: {stale}"
        self.harvest.observe(Notice(what, self.pull.key))

    def become_full(self, why: str) -> None:
        """Pull everything after all."""
        self.harvest.observe(Notice(why, self.pull.key))
        self.pull = replace(self.pull, mode="full", since=None)

    async def fresh(self) -> Lines:
        """An empty place; what was staged before is gone."""
        await self.discard()
        self.staged = await self.harvest.sink.stage(self.pull, self.harvest.run, self._journal())
        return Lines(self.staged.writer, self.resource.key)

    def _journal(self) -> PageJournal:
        name = f"{self.pull.provider}.{self.pull.resource}.{self.pull.tenant}.pages"
        about = {"pull": asdict(self.pull), "asked": self.asked, "sink": self.harvest.shape}
        return PageJournal(self.harvest.journals / name, about, self.started)

    async def discard(self) -> None:
        staged, self.staged = self.staged, None
        if staged is not None:
            await self.harvest.sink.discard(staged)

    async def leave(self) -> None:
        """End without a commit: what another process can go on with stays, the rest goes."""
        if self.staged is not None and self.staged.writer.journaled:
            self.staged.writer.abandon()
            self.staged = None
        await self.discard()

    async def prepare(self, read: Read) -> Prepared:
        """Make what was read durable, and see it beside the last snapshot."""
        assert self.staged is not None
        return Prepared(await self.staged.writer.finish(), await self._compare(read))

    async def commit(self, read: Read, prepared: Prepared) -> Outcome:
        """Publish what was read with its manifest in one step, or hold it."""
        assert self.staged is not None
        compared = prepared.compared
        limits = self.harvest.guards.of(self.pull.resource)
        against = [] if compared is None else list(reasons(compared, limits))
        against += prepared.against
        account = Account(
            staged=self.staged,
            pull=self.pull,
            parts=prepared.parts,
            started=self.started,
            finished=self.harvest.clock.wall(),
            tally=self.tally,
            query=read.query,
            certificate=read.certificate,
            extra={
                **read.extra,
                "compared": None if compared is None else compared_in_manifest(compared),
                "audit": prepared.audit,
            },
        )
        outcome = await commit(self.harvest.sink, account, self.harvest.require, against)
        self.staged = None
        return outcome

    async def _compare(self, read: Read) -> Comparison | None:
        """What is staged beside the last published snapshot; None where there is nothing to compare with."""
        sink, staged = self.harvest.sink, self.staged
        assert staged is not None
        pointer = sink.pointer(self.pull)
        last = None if pointer is None else sink.manifest(pointer["path"])
        wanted = self.resource.guarded and self.harvest.guards.of(self.pull.resource).enabled
        if pointer is None or last is None or not wanted or self.pull.mode != "full":
            return None
        known = Comparison(
            run=last["run"],
            before=last["records"] - last.get("tombstones", 0),
            now=staged.writer.records - staged.writer.tombstones,
            tombstones_before=last.get("tombstones", 0),
            tombstones=staged.writer.tombstones,
            quarantined_before=last["quarantined"],
            quarantined=staged.writer.quarantined,
        )
        if self.resource.shape != "pages" or self.resource.parent is not None:
            return replace(known, vanished=max(0, known.before - known.now), named=False)
        old = Side(partial(sink.lines, pointer["path"], last), by_id(last["certificate"]["order"]["seen"]))
        new = Side(staged.writer.written, by_id(read.certificate.order_seen))
        spill = self.harvest.journals.with_suffix(".spill")
        return await staged.writer.guarded(lambda: compare(old, new, self.resource.key, known, spill=spill))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pull that is durable, and what speaks against publishing it."""

    parts: tuple[Part, ...]
    compared: Comparison | None
    audit: dict[str, Any] | None = None
    against: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a resource came to."""

    query: str
    certificate: Certificate
    extra: dict[str, Any] = field(default_factory=dict)


async def run_pulls(
    harvest: Harvest, reach: Callable[[], Awaitable[Access]], pulls: Sequence[Pull]
) -> list[Outcome]:
    """Pull one resource of one tenant, or all those that come in one document.

    A provider's failure is an outcome, and so is a secret that `reach` can't find. Raises `SinkError`, which
    ends the run, and nothing else of ours.
    """
    stages: list[Stage] = []
    for pull in pulls:
        harvest.begun[pull.key] = anyio.Event()
        newest = harvest.sink.current(pull)
        harvest.observe(PullStarted(pull, None if newest is None else int(newest["records"])))
    try:
        access, started, tally = await reach(), harvest.clock.wall(), Tally()
        for pull in pulls:
            resource = access.resource(pull.resource)
            stages.append(Stage(harvest, pull, resource, access.asked(pull, resource), tally, started))
            tally = Tally()  # pulls of one document share its request, which is counted once
        reads = await _read(access, pulls, stages)
        outcomes = [await _settle(access, stage, read) for stage, read in zip(stages, reads, strict=True)]
    except SinkError:
        raise
    except HarvesterError as error:
        state: State = "interrupted" if isinstance(error, QuotaError) else "failed"
        outcomes = [Outcome(pull, state, error=error) for pull in pulls]
    finally:
        with anyio.CancelScope(shield=True):
            for stage in stages:
                await stage.leave()
        for pull in pulls:
            harvest.begun[pull.key].set()
    for outcome in outcomes:
        harvest.observe(_finished(outcome))
    return outcomes


async def _settle(access: Access, stage: Stage, read: Read) -> Outcome:
    """Complete what was read by what others refer to, look after what vanished, and commit it."""
    if stage.pull.mode != "full" or not access.provider.dates(stage.pull.resource):
        return await stage.commit(read, await stage.prepare(read))
    lookup = Lookup(access, stage.pull, stage.resource, stage.tally)
    read = await _closed(access, stage, read, lookup)
    prepared = await stage.prepare(read)
    most = stage.harvest.guards.of(stage.pull.resource).looked_up
    seen = prepared.compared
    audited = None if seen is None else await audit(lookup, seen.gone, seen.known, most)
    if audited is None:
        return await stage.commit(read, prepared)
    lost = set(audited.still_there)
    if lost:
        what = f"{len(lost)} of {audited.checked} vanished records can still be had by id: pulled again"
        stage.harvest.observe(Notice(what, stage.pull.key))
        read = await _closed(access, stage, await _read_one(access, stage.pull, stage, None), lookup)
        prepared = await stage.prepare(read)
        lost &= set(() if prepared.compared is None else prepared.compared.gone)
    told = {"vanished": audited.vanished, "checked": audited.checked, "still_there": len(audited.still_there)}
    against: tuple[Reason, ...] = ()
    if lost:
        said = f"{len(lost)} records that can be had by id are not listed, in two pulls: {min(lost)} for one"
        against = (Reason("left out", said),)
    return await stage.commit(read, replace(prepared, audit={**told, "lost": len(lost)}, against=against))


async def _closed(access: Access, stage: Stage, read: Read, lookup: Lookup) -> Read:
    """Add the records that the tenant's other pulls of this run refer to, and that are not there."""
    harvest, pull, staged = stage.harvest, stage.pull, stage.staged
    assert staged is not None
    told: dict[str, Any] = {}
    for other in access.provider.resources:
        for member, target in other.references:
            referring = replace(pull, resource=other.name)
            ended = harvest.begun.get(referring.key)
            if target != pull.resource:
                continue
            if ended is not None:
                await ended.wait()  # it has a worker of its own, and waits for nobody
            manifest = harvest.sink.committed(referring, harvest.run)
            if manifest is None:
                continue
            lines = harvest.sink.lines(harvest.sink.folder(referring, harvest.run), manifest)
            names = await staged.writer.guarded(
                partial(dangling, lines, member, staged.writer.written(), stage.resource.key)
            )
            if names is None:
                told[other.name] = {"skipped": "too many references"}
                continue
            closure = await close(lookup, names, staged.writer.total)
            await staged.writer.write(closure.fetched)
            told[other.name] = {"dangling": closure.dangling, "fetched": len(closure.fetched)}
    return replace(read, extra={**read.extra, "closure": told or None})


async def _read(access: Access, pulls: Sequence[Pull], stages: Sequence[Stage]) -> list[Read]:
    """Read by the resource's shape. Pulls that share a document are read together."""
    pull, stage = pulls[0], stages[0]
    resource = access.resource(pull.resource)
    if resource.shape == "pifu":
        by_resource = {s.pull.resource: s.fresh for s in stages}
        document = await read_document(access, pull, resource, stage.tally, by_resource)
        return [Read(resource.path, document.certificate(s.pull.resource), document.extra) for s in stages]
    history = await stage.history()
    if history is not None:
        try:
            return [await _read_one(access, pull, stage, history)]
        except StaleError as stale:
            stage.start_over(stale)
    try:
        return [await _read_one(access, pull, stage, None)]
    except FilterIgnoredError as ignored:
        if pull.mode != "incremental":
            raise
        said = f"{ignored.what}: pulled in full"
        stage.become_full(said)
    read = await _read_one(access, stage.pull, stage, None)
    noted = replace(read.certificate, notes=(*read.certificate.notes, said))
    return [replace(read, certificate=noted)]


async def _read_one(access: Access, pull: Pull, stage: Stage, history: History | None) -> Read:
    """Read a resource that comes alone, from its beginning or on from a history (then `StaleError`)."""
    resource = access.resource(pull.resource)
    if resource.parent is not None:
        children = await read_children(access, pull, resource, stage.tally, stage.fresh, history)
        counts = {"parents": children.parents, "skipped": children.skipped, "missing": children.missing}
        return Read(resource.path, children.certificate, {"children_of": resource.parent, **counts})
    collection = access.collection(pull, resource, stage.tally)
    choice = _choice(access, pull, stage, collection)
    if history is not None:
        lines, certificate = history.lines, await go_on_reading(collection, history, choice)
    elif choice is not None:
        lines, certificate = await read_best(choice, stage.fresh)
    else:
        lines, certificate = await read_collection(collection, stage.fresh)
    return Read(collection.query, await repair_by_delta(collection, lines, certificate))


def _choice(access: Access, pull: Pull, stage: Stage, collection: Collection) -> Choice | None:
    """Whether a collection may be read by id: never in part, and not where the configuration forbids it."""
    allowed = access.application.keyset
    if allowed is False or pull.mode != "full" or not is_possible(collection):
        return None
    harvest = stage.harvest
    newest = harvest.sink.current(pull)
    return Choice(
        collection,
        harvest.dialects,
        stage.asked,
        now=harvest.clock.wall(),
        size=None if newest is None else int(newest["records"]),
        forced=allowed is True,
    )


def _finished(outcome: Outcome) -> PullFinished:
    manifest = outcome.manifest or {}
    certificate = manifest.get("certificate") or {}
    why = str(outcome.error) if outcome.error else str(manifest.get("guard") or certificate.get("why", ""))
    return PullFinished(
        outcome.pull, outcome.state, int(manifest.get("records", 0)), certificate.get("verdict"), why
    )
