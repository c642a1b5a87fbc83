"""Carrying out `verify`, `diff` and `snapshot`: which pulls, and what is said of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import BinaryIO

import orjson

from harvester.build import open_sink
from harvester.comparing import Snapshot, Tally, changes, present
from harvester.config.load import Config
from harvester.errors import SinkError, UsageError
from harvester.model import Pull
from harvester.offload import Threads
from harvester.releasing import find_run
from harvester.report import columns
from harvester.sinks.sink import Json, Sink
from harvester.verifying import Damage, Verified, Verifier, in_share, run_of

DAMAGED = SinkError.exit_code


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pulls a person asks about."""

    run: str | None = None
    tenants: Sequence[str] | None = None
    resources: Sequence[str] | None = None
    share: int = 1

    def takes(self, result: Json) -> bool:
        return (
            result["state"] in ("committed", "held")
            and (not self.tenants or any(fnmatchcase(result["tenant"], one) for one in self.tenants))
            and (not self.resources or result["resource"] in self.resources)
        )


def show_verify(config: Config, wanted: Wanted, *, as_json: bool) -> int:
    """Verify, and say what is damaged."""
    if wanted.share < 1:
        raise UsageError(f"--share {wanted.share} is no share", advice="7 reads a seventh each day.")
    sink = open_sink(config, Threads())
    runs = list(sink.runs()) if wanted.run is None else [find_run(sink, wanted.run)]
    day = datetime.now(UTC).date().toordinal()
    pulls = [
        (run, result)
        for run in runs
        for result in run["results"]
        if wanted.takes(result) and in_share(run, result, wanted.share, day)
    ]
    verifier = Verifier(sink, config.providers, config.state.path / "spill")
    damages: list[Damage] = []

    def told(verified: Verified) -> None:
        for damage in verified.damages:
            damages.append(damage)
            print(f"{damage.place}: {damage.what}", file=sys.stderr)

    found = verifier.all(pulls, told)
    for damage in verifier.pointers():
        damages.append(damage)
        print(f"{damage.place}: {damage.what}", file=sys.stderr)
    records, size = sum(one.records for one in found), sum(one.bytes for one in found)
    if as_json:
        told_of = [asdict(damage) for damage in damages]
        summary = {"runs": len(runs), "pulls": len(found), "records": records, "bytes": size}
        line = {**summary, "damages": told_of, "staged_runs": list(sink.staged())}
        sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    else:
        for run_id in sink.staged():
            print(
                f"note: run {run_id} has left something staged; --resume goes on with it, or it goes by age"
            )
        bad = len({damage.place for damage in damages})
        print(
            f"{len(found)} pulls of {len(runs)} runs read, {records:,} records, {size:,} bytes: {bad} damaged"
        )
        if damages:
            print("What is damaged can be pulled again: harvester run CONFIG --tenant T --resource R")
    return DAMAGED if damages else 0


def show_diff(config: Config, wanted: Wanted, other: str, *, records: bool, as_json: bool) -> int:
    """Compare two runs, and say what differs."""
    sink = open_sink(config, Threads())
    assert wanted.run is not None
    old, new = find_run(sink, wanted.run), find_run(sink, other)
    before, now = (_pulls(config, sink, run, wanted) for run in (old, new))
    spill = config.state.path / "spill"
    rows: list[dict[str, object]] = []
    for name in sorted({*before, *now}):
        tenant, resource = name
        row: dict[str, object] = {"tenant": tenant, "resource": resource}
        if name not in before or name not in now:
            row["only_in"] = wanted.run if name in before else other
            rows.append(row)
            continue
        tally = Tally(int(before[name].manifest["records"]), int(now[name].manifest["records"]))
        for change in changes(before[name], now[name], spill=spill):
            tally.count(change)
            if records:
                line = {"tenant": tenant, "resource": resource, "change": change.kind, "id": change.id}
                entry = {**line, "fields": change.fields}
                sys.stdout.buffer.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        modes = {before[name].manifest["mode"], now[name].manifest["mode"]} - {"full"}
        row |= tally.as_json() | ({"modes": sorted(modes)} if modes else {})
        rows.append(row)
    if as_json:
        sys.stdout.buffer.write(
            orjson.dumps({"runs": [wanted.run, other], "pulls": rows}, option=orjson.OPT_APPEND_NEWLINE)
        )
    else:
        print("\n".join(_diff_table(rows)), file=sys.stderr if records else sys.stdout)
    return 0


def _diff_table(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    head = ("TENANT", "RESOURCE", "BEFORE", "NOW", "ADDED", "CHANGED", "REMOVED", "FIELDS THAT CHANGED")
    table: list[tuple[str, ...]] = [head]
    for row in rows:
        cells: tuple[str, ...] = ("", "", "", "", "", f"only in {row.get('only_in')}")
        if "only_in" not in row:
            counted = row["fields"]
            assert isinstance(counted, dict)
            fields = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:5]
            said = ", ".join(f"{name} ({count})" for name, count in fields)
            if "modes" in row:
                said = f"not two full snapshots; {said}"
            cells = (*(f"{row[key]:,}" for key in ("before", "now", "added", "changed", "removed")), said)
        table.append((str(row["tenant"]), str(row["resource"]), *cells))
    yield from columns(table, right=frozenset(range(2, 7)))


def show_snapshot(config: Config, tenant: str, resource: str, *, tombstones: bool, out: BinaryIO) -> int:
    """Write the present state of one collection."""
    sink = open_sink(config, Threads())
    known = {one.id: config.applications[one.application] for one in config.tenants}
    if tenant not in known:
        raise UsageError(f"there is no tenant {tenant!r}", advice="`harvester plan CONFIG` lists them.")
    application = known[tenant]
    declared = config.providers[application.provider].resource(resource)
    if declared is None:
        raise UsageError(f"{application.provider} has no resource {resource!r}")
    if declared.shape != "pages" or declared.parent is not None:
        raise UsageError(
            f"{resource} has no ids of its own to merge by", advice="Read the parts that `_current` names."
        )
    pointer = sink.pointer(Pull(application.provider, application.name, tenant, resource))
    if pointer is None:
        raise UsageError(
            f"{tenant}/{resource} has no snapshot yet", advice="`harvester run CONFIG` takes one."
        )
    layers = []
    for target in (pointer, *pointer.get("increments", ())):
        manifest = sink.manifest(target["path"])
        if manifest is None:
            raise SinkError(
                f"no pull lies in {target['path']}", advice="`harvester verify` says what is damaged."
            )
        layers.append(Snapshot(sink, target["path"], manifest, declared.key))
    lines = present(layers, spill=config.state.path / "spill", tombstones=tombstones)
    out.writelines(line + b"\n" for line in lines)
    return 0


def _pulls(config: Config, sink: Sink, run: Json, wanted: Wanted) -> dict[tuple[str, str], Snapshot]:
    """The run's pulls that can be compared, by tenant and resource."""
    found: dict[tuple[str, str], Snapshot] = {}
    for result in run["results"]:
        provider = config.providers.get(result["provider"])
        resource = None if provider is None else provider.resource(result["resource"])
        if not wanted.takes(result) or resource is None:
            continue
        if resource.shape != "pages" or resource.parent is not None:
            continue
        pull = Pull(*(result[name] for name in ("provider", "application", "tenant", "resource")))
        place = sink.folder(pull, run_of(run), held=result["state"] == "held")
        manifest = sink.manifest(place)
        if manifest is None:
            raise SinkError(f"no pull lies in {place}", advice="`harvester verify` says what is damaged.")
        found[pull.tenant, pull.resource] = Snapshot(sink, place, manifest, resource.key)
    return found
