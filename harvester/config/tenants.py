"""Tenant lists of their own file: thousands as CSV, NDJSON or TOML, with the keys of `[[tenants]]`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from harvester.config.place import did_you_mean
from harvester.config.reading import Source, convert, read_text, read_toml
from harvester.config.schema import TenantTable, keys_of
from harvester.errors import ConfigError

_KEYS = frozenset(keys_of(TenantTable))
_SEPARATORS = re.compile(r"[\s;,|]+")
_HEAD = re.compile(r"\s*\[\[\s*tenants\s*\]\]")


def read_tenants(path: Path) -> Iterator[tuple[str, TenantTable]]:
    """(place, tenant) for every line or table of the list. Raises `ConfigError` naming file and line."""
    source = read_text(path, "tenants_from.path starts from the configuration's folder.")
    readers = {".csv": _of_csv, ".ndjson": _of_ndjson, ".jsonl": _of_ndjson, ".toml": _of_toml}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"a tenant list can't end in {path.suffix!r}",
            where=str(path),
            advice="Use .csv, .ndjson or .toml.",
        )
    for place, row in reader(source):
        yield place, _tenant(place, row)


def _tenant(place: str, row: object) -> TenantTable:
    if isinstance(row, dict):
        for key in row:
            if key not in _KEYS:
                raise ConfigError(f"unknown key {key!r}", where=place, advice=did_you_mean(str(key), _KEYS))
    return convert(Source(Path(place), ""), row, TenantTable, ())


def _of_csv(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    name = source.path.name
    reader = csv.DictReader(io.StringIO(source.text, newline=""), strict=True)
    try:
        _check_head(reader.fieldnames or (), f"{name}, line 1")
        for row in reader:
            place = f"{name}, line {reader.line_num}"
            if None in row or None in row.values():
                raise ConfigError(
                    "the row has not as many cells as the head", where=place, advice="Check its commas."
                )
            cells: dict[str, Any] = {key: cell.strip() for key, cell in row.items() if cell.strip()}
            if "resources" in cells:
                cells["resources"] = [word for word in _SEPARATORS.split(cells["resources"]) if word]
            if cells:
                yield place, cells
    except csv.Error as error:
        raise ConfigError(f"not CSV: {error}", where=f"{name}, line {reader.line_num}") from None


def _check_head(columns: Sequence[str], place: str) -> None:
    for number, column in enumerate(columns):
        if column not in _KEYS:
            advice = "Separate cells by commas." if ";" in column else did_you_mean(column, _KEYS)
            raise ConfigError(f"unknown column {column!r}", where=place, advice=advice)
        if column in columns[:number]:
            raise ConfigError(f"the column {column!r} is there twice", where=place, advice="Drop one.")


def _of_ndjson(source: Source) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(source.text.split("\n"), 1):
        if line.strip():
            place = f"{source.path.name}, line {number}"
            try:
                yield place, orjson.loads(line)
            except orjson.JSONDecodeError:
                raise ConfigError("not a JSON object", where=place, advice="One object a line.") from None


def _of_toml(source: Source) -> Iterator[tuple[str, Any]]:
    tables = read_toml(source)
    tenants = tables.get("tenants")
    if not isinstance(tenants, list) or set(tables) != {"tenants"}:
        raise ConfigError("a tenant list in TOML holds [[tenants]] and nothing else", where=source.path.name)
    heads = [n for n, line in enumerate(source.text.splitlines(), 1) if _HEAD.match(line)]
    for number, table in enumerate(tenants, 1):
        where = f"line {heads[number - 1]}" if len(heads) == len(tenants) else f"tenant {number}"
        yield f"{source.path.name}, {where}", table
