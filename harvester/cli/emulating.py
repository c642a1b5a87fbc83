"""Running the emulator: for as long as a person likes, or for the length of a demo."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio

from harvester.config.load import Config, load
from harvester.emulator.server import GRAND_BEND, Emulator
from harvester.errors import UsageError

MARK = ".harvester-demo"
"""Stands in a folder that the demo made, and so may remove."""


@dataclass(frozen=True, slots=True)
class Emulation:
    """What the command line asked for."""

    port: int
    tenants: int
    rows: int
    faults: str
    seed: int
    csv: Path | None
    records: Path | None
    config: Path | None


async def serve(wanted: Emulation) -> int:
    """Serve until interrupted."""
    _refuse_nonsense("--port", wanted.port, most=65_535)
    _refuse_nonsense("--tenants", wanted.tenants)
    _refuse_nonsense("--rows", wanted.rows)
    try:
        emulator = Emulator(
            tenants=wanted.tenants,
            rows=wanted.rows,
            seed=wanted.seed,
            faults=wanted.faults,
            csv=wanted.csv,
            records=wanted.records,
            port=wanted.port,
        )
    except (ValueError, OSError) as error:
        raise UsageError(
            f"the emulator can't start: {error}", advice="See `harvester emulate --help`."
        ) from None
    try:
        async with emulator:
            if wanted.config is not None:
                _write_private(wanted.config, emulator.config_text())
            print(
                f"serving {len(emulator.tenants)} tenants at {emulator.url}; Ctrl-C ends it", file=sys.stderr
            )
            if wanted.config is not None:
                print(
                    f"its configuration: {wanted.config}; now: harvester run {wanted.config}", file=sys.stderr
                )
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
    except OSError as error:
        raise UsageError(
            f"can't listen on port {wanted.port}: {error.strerror}", advice="Name another one, or 0 for any."
        ) from None
    return 0


def _refuse_nonsense(option: str, number: int, most: int = 10_000_000) -> None:
    if not 0 <= number <= most:
        raise UsageError(f"{option} {number} is out of range", advice=f"Give a number from 0 to {most}.")


def _write_private(path: Path, text: str) -> None:
    """A configuration with literal secrets: readable by nobody else."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}", advice="Name another file.") from None
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)


def run_demo(folder: Path, *, rows: int, seed: int) -> int:
    """Emulator, one run, the report, and how to look at what lies there."""
    _refuse_nonsense("--rows", rows)
    _fresh(folder)
    return anyio.run(_demo, folder, rows, seed)


def _fresh(folder: Path) -> None:
    if folder.exists() and not (folder / MARK).exists():
        raise UsageError(f"{folder} exists and is no demo's", advice="Name another folder.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


async def _demo(folder: Path, rows: int, seed: int) -> int:
    async with Emulator(tenants=2, rows=rows, seed=seed, records=GRAND_BEND) as emulator:
        path = folder / "demo.toml"
        text = emulator.config_text(sink=str(folder / "lake"), state=str(folder / "state"))
        _write_private(path, text)
        print(f"the emulator serves all seven APIs at {emulator.url}", file=sys.stderr)
        config = load(path)
        code = await anyio.to_thread.run_sync(_harvest_in_child, path, abandon_on_cancel=True)
    if code == 0:
        print(_where(folder, config))
    return code


def _harvest_in_child(path: Path) -> int:
    """`harvester run`, as a user would start it: a process of its own, with the terminal to itself."""
    import subprocess

    return subprocess.run([sys.executable, "-m", "harvester", "run", str(path)], check=False).returncode  # noqa: S603


def _where(folder: Path, config: Config) -> str:
    lake = Path(config.sink.url)
    parts = sorted(path.relative_to(lake) for path in lake.glob("*/*/*/*/*/part-*"))
    persons = [part for part in parts if part.parts[1] in ("users", "persons", "jobs")]
    shown = [f"  {lake / part}" for part in {part.parts[0]: part for part in persons}.values()]
    us = "harvester" if shutil.which("harvester") else sys.argv[0]
    return "\n".join(
        [
            f"{len(parts)} files in {lake}, for example",
            *shown,
            "",
            "read them:",
            f"  zcat {lake / parts[0]} | head -n 1",
            f"  {us} runs {folder}/demo.toml",
            f"  {us} show {folder}/demo.toml --tenant grandbend",
            "or with DuckDB:",
            f"  FROM read_json('{lake}/oneroster-v1p2/users/*/*/*/*.ndjson.gz', hive_partitioning = true,",
            "    union_by_name = true) SELECT tenant, count(*) GROUP BY tenant;",
        ]
    )
