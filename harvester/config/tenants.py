"""Tenant lists of their own file: thousands as CSV, NDJSON or TOML, with the keys of `[[tenants]]`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from harvester.config.place import did_you_mean
from harvester.config.reading import Source, read_text, read_toml
from harvester.config.schema import TenantTable, keys_of
from harvester.errors import ConfigError

_KEYS = frozenset(keys_of(TenantTable))
_SEPARATORS = re.compile(r"[\s;,|]+")


def read_tenants(path: Path) -> Iterator[tuple[str, TenantTable]]:
    """(place, tenant) for every line or table of the list. Raises `ConfigError` naming file and line."""
    source = read_text(path)
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
    try:
        return msgspec.convert(row, TenantTable)
    except msgspec.ValidationError as error:
        what = str(error).replace("`", '"').replace(' - at "$.', ' - at "')
        raise ConfigError(what, where=place, advice="docs/configuration.md has all keys.") from None


def _of_csv(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    name = source.path.name
    reader = csv.DictReader(io.StringIO(source.text, newline=""), strict=True)
    try:
        for key in reader.fieldnames or ():
            if key not in _KEYS:
                raise ConfigError(
                    f"unknown column {key!r}", where=f"{name}, line 1", advice=did_you_mean(key, _KEYS)
                )
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
    for number, table in enumerate(tenants, 1):
        yield f"{source.path.name}, tenant {number}", table
