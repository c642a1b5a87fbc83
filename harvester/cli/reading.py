"""`harvester verify`, `harvester diff` and `harvester snapshot`: what lies in the sink, read again."""

from __future__ import annotations

import sys
from pathlib import Path

from harvester.cli.options import Resources, Switch, Tenants


def verify(
    config: Path,
    run: str | None = None,
    *,
    tenant: Tenants = None,
    resource: Resources = None,
    share: int = 1,
    json: Switch = False,
) -> int:
    """Read committed runs again and say what is damaged: checksums, counts, ids, pointers. Writes nothing.

    Examples: `harvester verify nightly.toml`; `harvester verify nightly.toml --share 7` reads another seventh
    of all pulls each day. Exit code 7 when something is damaged.

    Parameters
    ----------
    config
        The TOML file.
    run
        Only this run; all runs unless named.
    tenant
        Only tenants whose id matches this glob; may be repeated.
    resource
        Only this resource; may be repeated.
    share
        One N-th of the pulls: all of them in N days, a different part each day.
    json
        Print what was found as one JSON object.
    """
    from harvester.cli.options import configured
    from harvester.cli.rereading import Wanted, show_verify

    return show_verify(configured(config), Wanted(run, tenant, resource, share), as_json=json)


def diff(
    config: Path,
    run: str,
    other: str,
    *,
    tenant: Tenants = None,
    resource: Resources = None,
    records: Switch = False,
    json: Switch = False,
) -> int:
    """Show what was added, changed and removed between two runs, by tenant and resource.

    Example: `harvester diff nightly.toml 20261119T020000Z-1f0c2a 20261120T020000Z-7f3a9c --records | jq .id`.

    Parameters
    ----------
    config
        The TOML file.
    run
        The earlier run.
    other
        The later run.
    tenant
        Only tenants whose id matches this glob; may be repeated.
    resource
        Only this resource; may be repeated.
    records
        List the records on stdout as NDJSON: tenant, resource, change, id, and the fields that differ.
    json
        Print the counts as one JSON object.
    """
    from harvester.cli.options import configured
    from harvester.cli.rereading import Wanted, show_diff

    wanted = Wanted(run, tenant, resource)
    return show_diff(configured(config), wanted, other, records=records, as_json=json)


def snapshot(config: Path, tenant: str, resource: str, *, tombstones: Switch = False) -> int:
    """Write a collection's present state to stdout as NDJSON: its newest full snapshot and later increments.

    Example: `harvester snapshot nightly.toml oslo users | jq -c '{sourcedId, status}'`.

    Parameters
    ----------
    config
        The TOML file.
    tenant
        The tenant's id.
    resource
        The resource's name.
    tombstones
        Keep records whose status is `tobedeleted`.
    """
    from harvester.cli.options import configured
    from harvester.cli.rereading import show_snapshot

    return show_snapshot(configured(config), tenant, resource, tombstones=tombstones, out=sys.stdout.buffer)
