"""`harvester init`, `harvester emulate` and `harvester demo`: what needs no vendor."""

from __future__ import annotations

import sys
from pathlib import Path

from harvester.cli.options import Switch


def init(path: Path = Path("harvester.toml"), *, stdout: Switch = False) -> int:
    """Write a commented configuration to start from. It holds no secrets.

    Example: `harvester init nightly.toml`; `harvester init --stdout | less`.

    Parameters
    ----------
    path
        The file to write, which must not exist.
    stdout
        Print it instead.
    """
    from harvester.config.template import TEMPLATE
    from harvester.errors import UsageError

    if stdout:
        print(TEMPLATE, end="")
        return 0
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise UsageError(f"{path} exists already", advice="Name another file, or remove it.") from None
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}", advice="Name another file.") from None
    print(
        f"wrote {path}; name your applications and tenants in it, then: harvester check {path}",
        file=sys.stderr,
    )
    return 0


def emulate(
    *,
    port: int = 8642,
    tenants: int = 2,
    rows: int = 200,
    faults: str = "",
    seed: int = 1,
    csv: Path | None = None,
    records: Path | None = None,
    config: Path | None = None,
) -> int:
    """Serve all seven APIs on loopback with synthetic rosters, or with yours, until interrupted.

    Examples: `harvester emulate --config emulated.toml` and, elsewhere, `harvester run emulated.toml`;
    `harvester emulate --csv bundle/` serves a OneRoster CSV bundle; `--faults 503:0.02,latency:50ms,cap:37`.

    Parameters
    ----------
    port
        On 127.0.0.1; 0 for any free one.
    tenants
        How many of each provider.
    rows
        Users a tenant; everything else follows.
    faults
        What goes wrong, e.g. `429:0.05,latency:20ms`; docs/emulator.md lists them.
    seed
        The same seed gives the same rosters.
    csv
        A folder with a OneRoster CSV bundle, 1.1 or 1.2, to serve as one more tenant.
    records
        A folder with NAME.ndjson or NAME.ndjson.gz collections, to serve as one more tenant.
    config
        Write a configuration for all emulated tenants to this file.
    """
    import anyio

    from harvester.cli.emulating import Emulation, serve

    return anyio.run(serve, Emulation(port, tenants, rows, faults, seed, csv, records, config))


def demo(folder: Path = Path("demo"), *, rows: int = 400, seed: int = 1) -> int:
    """See it work: emulator, one run of every provider, the report, and where the files lie.

    Example: `harvester demo`.

    Parameters
    ----------
    folder
        Where configuration, lake and state go; made anew.
    rows
        Users a synthetic tenant.
    seed
        The same seed gives the same rosters.
    """
    from harvester.cli.emulating import run_demo

    return run_demo(folder, rows=rows, seed=seed)
