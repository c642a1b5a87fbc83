"""What became of a run: its manifest, its exit code, and the same for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harvester import __version__
from harvester.commit import SCHEMA_VERSION, Outcome, timestamp
from harvester.errors import AuthError, HarvesterError, ProviderError
from harvester.model import Run
from harvester.supervisor import Ending, UnexpectedError

EXIT_INTERRUPTED: Mapping[Ending, int] = {"SIGINT": 130, "SIGTERM": 143, "sink": 7, "deadline": 8}


def exit_code(outcomes: Sequence[Outcome], ending: Ending) -> int:
    """The run's exit code; docs/commands.md has the table, and what an orchestrator should do about each."""
    if ending in EXIT_INTERRUPTED:
        return EXIT_INTERRUPTED[ending]
    states = Counter(outcome.state for outcome in outcomes)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if any(isinstance(error, UnexpectedError) for error in errors):
        return 1
    if states["interrupted"]:
        return 8  # without a signal, only a quota interrupts
    if not states["failed"]:
        return 10 if states["held"] else 0
    return 3 if states["committed"] or states["held"] else code_when_all_failed(errors)


def code_when_all_failed(errors: Sequence[HarvesterError]) -> int:
    """The code when nothing worked: by what everything failed of."""
    if all(isinstance(error, AuthError) for error in errors):
        return 6
    if all(error.exit_code == 2 for error in errors):
        return 2
    passing = any(isinstance(error, ProviderError) and error.passing for error in errors)
    return 5 if passing else 3


def run_manifest(
    *,
    run: Run,
    name: str,
    finished: float,
    outcomes: Sequence[Outcome],
    ending: Ending,
    applications: Mapping[str, Any],
    scrub: Callable[[str], str],
) -> dict[str, Any]:
    """The run's manifest, which is written last of all.

    `applications`: what each one's governor counted; `scrub` takes the live secrets out of messages.
    """
    states = Counter(outcome.state for outcome in outcomes)
    manifests = [outcome.manifest for outcome in outcomes if outcome.manifest is not None]
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run.id,
        "name": name,
        "started": timestamp(run.started),
        "finished": timestamp(finished),
        "seconds": round(finished - run.started, 3),
        "exit_code": exit_code(outcomes, ending),
        "ending": ending,
        "modes": dict(Counter(outcome.pull.mode for outcome in outcomes)),
        "pulls": len(outcomes),
        "committed": states["committed"],
        "held": states["held"],
        "failed": states["failed"],
        "interrupted": states["interrupted"],
        "records": sum(m["records"] for m in manifests),
        "bytes": sum(m["bytes"] for m in manifests),
        "requests": sum(m["requests"] for m in manifests),
        "retries": sum(m["retries"] for m in manifests),
        "quarantined": sum(m["quarantined"] for m in manifests),
        "duplicates_removed": sum(m["duplicates_removed"] for m in manifests),
        "certificates": dict(Counter(m["certificate"]["verdict"] for m in manifests)),
        "applications": applications,
        "results": [result_of(outcome, scrub) for outcome in sorted(outcomes, key=_place)],
        "software_version": __version__,
    }


def result_of(outcome: Outcome, scrub: Callable[[str], str]) -> dict[str, Any]:
    """One pull's line in the run's manifest."""
    pull, manifest, error = outcome.pull, outcome.manifest, outcome.error
    result: dict[str, Any] = {
        "provider": pull.provider,
        "application": pull.application,
        "tenant": pull.tenant,
        "resource": pull.resource,
        "mode": pull.mode,
        "state": outcome.state,
    }
    if manifest is not None:
        certificate = manifest["certificate"]
        result |= {
            key: manifest[key] for key in ("records", "bytes", "pages", "requests", "retries", "quarantined")
        }
        result |= {"verdict": certificate["verdict"], "why": certificate["why"], "guard": manifest["guard"]}
        result |= {"path": outcome.place}
    if error is not None:
        result["error"] = {"kind": error.kind, "message": scrub(str(error))}
    return result


def _place(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.pull.provider, outcome.pull.tenant, outcome.pull.resource


def summary_table(manifest: Mapping[str, Any]) -> str:
    """The run for people: a line per application and resource, then the troubles, then the totals."""
    rows = [("PROVIDER", "RESOURCE", "PULLS", "COMMITTED", "RECORDS", "REQUESTS", "CERTIFICATES")]
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for result in manifest["results"]:
        grouped.setdefault((result["provider"], result["resource"]), []).append(result)
    for (provider, resource), results in sorted(grouped.items()):
        verdicts = Counter(r["verdict"] for r in results if "verdict" in r)
        rows.append(
            (
                provider,
                resource,
                str(len(results)),
                str(sum(r["state"] == "committed" for r in results)),
                f"{sum(r.get('records', 0) for r in results):,}",
                f"{sum(r.get('requests', 0) for r in results):,}",
                ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "-",
            )
        )
    lines = columns(rows, right=frozenset({2, 3, 4, 5}))
    lines += ["", *troubles(manifest["results"]), totals(manifest)]
    return "\n".join(lines)


def troubles(results: Iterable[Mapping[str, Any]], most: int = 20) -> list[str]:
    """What a person should look at: pulls that are not committed, and why."""
    bad = [result for result in results if result["state"] != "committed"]
    lines = [
        f"{result['state']}: {result['tenant']}/{result['resource']}: "
        + str(result.get("error", {}).get("message") or result.get("guard") or "")
        for result in bad[:most]
    ]
    if len(bad) > most:
        lines.append(f"... and {len(bad) - most} more; `harvester show CONFIG RUN` lists them all")
    return [*lines, ""] if lines else []


def totals(manifest: Mapping[str, Any]) -> str:
    seconds = max(float(manifest["seconds"]), 1e-9)
    return (
        f"run {manifest['run']}: {manifest['committed']} of {manifest['pulls']} pulls committed, "
        f"{manifest['held']} held, {manifest['failed']} failed, {manifest['interrupted']} interrupted; "
        f"{manifest['records']:,} records in {seconds:.1f} s ({manifest['records'] / seconds:,.0f}/s), "
        f"{manifest['requests']:,} requests, {manifest['retries']:,} retries; "
        f"exit code {manifest['exit_code']}"
    )


def columns(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Rows of text in aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
