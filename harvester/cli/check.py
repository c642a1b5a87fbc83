"""`harvester check`: per tenant what works, and what to do about what does not."""

from __future__ import annotations

import sys
from pathlib import Path

from harvester.cli.options import Switch, Tenants, configured


def check(config: Path, *, tenant: Tenants = None, json: Switch = False) -> int:
    """Try every tenant: secret, token, clock, one page of each resource, the server's dialect, and the sink.

    Exits with 0 when all works, else with the code that a run would end with. Example: `harvester check
    nightly.toml --tenant 'oslo*'`.

    Parameters
    ----------
    config
        The TOML file.
    tenant
        Only tenants whose id matches this glob; may be repeated.
    json
        Print one JSON object a resource.
    """
    import anyio
    import orjson

    from harvester.checking import check_all, exit_code_of
    from harvester.config.secrets import Secrets
    from harvester.observe.logging import configure
    from harvester.plan import Selection
    from harvester.report import columns

    loaded = configured(config)
    secrets = Secrets(folder=loaded.path.parent)
    configure(path=None, level="warning", scrub=secrets.scrub)
    findings = anyio.run(check_all, loaded, Selection(tuple(tenant or ())), secrets)
    if json:
        for finding in findings:
            sys.stdout.buffer.write(orjson.dumps(finding.as_json(), option=orjson.OPT_APPEND_NEWLINE))
    else:
        head = ("TENANT", "RESOURCE", "RESULT", "RECORDS", "DIALECT", "WHAT TO DO")
        print("\n".join(columns([head, *(finding.row() for finding in findings)], right=frozenset({3}))))
    return exit_code_of(findings)
