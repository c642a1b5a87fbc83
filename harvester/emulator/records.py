"""A folder of NDJSON collections as a tenant: NAME.ndjson or NAME.ndjson.gz, served byte for byte."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harvester.emulator.roster import Row

SUFFIXES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class Records:
    """The folder's collections, in order of id. Raises `ValueError` for a line that is no record."""

    folder: Path

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._files)

    def collection(self, name: str) -> list[Row]:
        if name not in self._loaded and name in self._files:
            self._loaded[name] = _rows(self._files[name])
        return self._loaded.get(name, [])

    @cached_property
    def _loaded(self) -> dict[str, list[Row]]:
        return {}

    @cached_property
    def _files(self) -> dict[str, Path]:
        files = {}
        for path in sorted(self.folder.iterdir()):
            name, dot, rest = path.name.partition(".")
            if dot + rest in SUFFIXES:
                files[name] = path
        if not files:
            raise ValueError(f"{self.folder} holds no NAME.ndjson or NAME.ndjson.gz")
        return files


def _rows(path: Path) -> list[Row]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            rows.append(Row(str(value["sourcedId"]), value, line.strip()))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path.name}, line {number}: no JSON object with a sourcedId") from None
    return sorted(rows, key=lambda row: row.id)
