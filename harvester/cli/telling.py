"""What `show` says: a run's pulls, and each certificate in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harvester.model import Pull, Run
from harvester.report import columns, summary_table
from harvester.sinks.sink import Sink

MEANING = {
    "certified": "no record that existed throughout the pull can be missing, whatever changed meanwhile",
    "repaired": "no record that existed throughout can be missing: the modified ones came by their dates",
    "probable": "nothing proves it complete, but everything that can be checked agrees",
    "uncertified": "nothing vouches for it",
}


SCOPE = {
    "all": "all records",
    "unmodified": "records that nobody modified during the pull",
    "unmodified+delta": "unmodified records, and the modified ones by a delta",
    "none": "nothing",
}


def tell(sink: Sink, manifest: Mapping[str, Any], tenant: str | None) -> str:
    """A run for people; with a tenant, that tenant's pulls in full."""
    if tenant is None:
        return summary_table(manifest) + "\n" + "\n".join(_pulls(manifest))
    chosen = [result for result in manifest["results"] if result["tenant"] == tenant]
    if not chosen:
        return f"run {manifest['run']} has no tenant {tenant}"
    return "\n\n".join(_in_full(sink, manifest, result) for result in chosen)


def _pulls(manifest: Mapping[str, Any]) -> list[str]:
    rows = [("TENANT", "RESOURCE", "MODE", "STATE", "RECORDS", "PAGES", "CERTIFICATE", "WHY")]
    rows += [
        (
            result["tenant"],
            result["resource"],
            result["mode"],
            result["state"],
            f"{result.get('records', 0):,}",
            f"{result.get('pages', 0):,}",
            str(result.get("verdict", "-")),
            str(result.get("error", {}).get("message") or result.get("guard") or result.get("why", "")),
        )
        for result in manifest["results"]
    ]
    return columns(rows, right=frozenset({4, 5}))


def _in_full(sink: Sink, run: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    pull = Pull(
        result["provider"], result["application"], result["tenant"], result["resource"], result["mode"]
    )
    head = f"{pull.key} ({pull.provider}), {pull.mode}: {result['state']}"
    if "error" in result:
        return f"{head}\n  {result['error']['message']}"
    when = Run(run["run"], _seconds(run["started"]))
    manifest = sink.committed(pull, when) or sink.held(pull, when)
    if manifest is None:
        return f"{head}\n  its manifest is not in the sink any more"
    return "\n".join([head, *("  " + line for line in _certificate(manifest))])


def _seconds(timestamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(timestamp).timestamp()


def _certificate(manifest: Mapping[str, Any]) -> list[str]:
    certificate = manifest["certificate"]
    order, joins, total = certificate["order"], certificate["joins"], certificate["total"]
    lines = [*_dates(manifest)]
    lines += [
        f"{manifest['records']:,} records in {manifest['pages']:,} pages, {len(manifest['parts'])} parts",
        f"{manifest['requests']:,} requests, {manifest['retries']:,} of them retries",
        f"certificate: {certificate['verdict']}: {MEANING[certificate['verdict']]}",
        f"  because: {certificate['why']}",
        f"  order asked: {order['asked'] or 'none'}",
        f"  scope: {SCOPE.get(certificate['scope'], certificate['scope'])}",
        f"  order seen: {order['seen'] or 'none'}, over {order['pairs']:,} pairs",
        f"  joins: {joins['exact']:,} exact, {joins['drift']:,} with drift, {joins['missing']:,} missing",
        *_repairs(certificate),
        f"  total: {_total(total)}",
    ]
    if certificate["poisoned_offsets"]:
        lines.append(f"  the server fails at offsets {', '.join(map(str, certificate['poisoned_offsets']))}")
    lines += [f"  noted: {note}" for note in certificate["notes"]]
    lines += [f"  assumed: {assumption}" for assumption in certificate["assumptions"]]
    if manifest["guard"]:
        lines.append(f"held: {manifest['guard']}")
    if manifest["quarantined"]:
        lines.append(f"quarantined: {manifest['quarantined']:,} records, with reasons, beside the parts")
    return lines


def _repairs(certificate: Mapping[str, Any]) -> list[str]:
    """What had to be asked for again; manifests of earlier versions don't tell."""
    joins, delta = certificate["joins"], certificate.get("delta")
    lines = []
    if joins.get("repaired_gaps"):
        rounds = joins["rounds"]
        lines.append(f"  gaps closed: {joins['repaired_gaps']:,}, in {rounds} rounds at most")
    if delta is not None:
        rows, rounds = delta["rows"], delta["rounds"]
        lines.append(f"  delta: {rows:,} records modified since {delta['from']}, in {rounds} rounds")
    return lines


def _dates(manifest: Mapping[str, Any]) -> list[str]:
    """Of what is no full pull: which time it is about."""
    since, until = manifest.get("since"), manifest.get("until")
    if since is None:
        return []
    ended = f" and before {until}" if until else ""
    tombstones = f"; {manifest['tombstones']:,} of the records are tombstones"
    return [f"what was modified at {since} or later{ended}{tombstones}"]


def _total(total: Mapping[str, Any]) -> str:
    if total["first"] is None:
        return "not stated by the server"
    if total["first"] == total["last"]:
        return f"{total['first']:,} stated, first and last"
    return f"{total['first']:,} stated first, {total['last']:,} last"
