"""`harvester release`: publish what was held, after a look."""

from __future__ import annotations

import sys
from pathlib import Path

from harvester.cli.options import Resources, Switch, Tenants, configured


def release(
    config: Path,
    run: str,
    *,
    tenant: Tenants = None,
    resource: Resources = None,
    dry_run: Switch = False,
    fail_on_empty: Switch = False,
) -> int:
    """Publish pulls that a guard, or `require`, held back. Look first: `--dry-run` says why each waits.

    Example: `harvester release nightly.toml 20261120T020000Z-7f3a9c --tenant oslo --resource users`.

    Parameters
    ----------
    config
        The TOML file.
    run
        The run's id.
    tenant
        Only tenants whose id matches this glob; may be repeated.
    resource
        Only this resource; may be repeated.
    dry_run
        Say what is held and why, and publish nothing.
    fail_on_empty
        Exit with 9 if nothing that was named is held.
    """
    import anyio

    from harvester.build import open_sink
    from harvester.clock import SystemClock
    from harvester.lock import lock
    from harvester.offload import Threads
    from harvester.releasing import find_run, held_pulls
    from harvester.releasing import release as publish

    loaded = configured(config)
    sink = open_sink(loaded, Threads())
    with lock(loaded.state.path):
        manifest = find_run(sink, run)
        chosen = held_pulls(sink, manifest, tenant or (), resource or ())
        for held in chosen:
            verb = "held" if dry_run else "released"
            print(f"{verb}: {held.pull.key}: {held.manifest['records']:,} records; {held.why}")
        if chosen and not dry_run:
            anyio.run(publish, sink, manifest, chosen, SystemClock().wall())
    if not chosen:
        print(f"harvester: run {run} holds nothing of the kind", file=sys.stderr)
        return 9 if fail_on_empty else 0
    return 0
