"""From text to checked tables: every mistake with its file, line, key, and what to write instead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from harvester.config.place import did_you_mean, line_of, spelled
from harvester.config.schema import NESTED, ApplicationTable, File, GuardTable, ProviderTable, Table, keys_of
from harvester.errors import ConfigError

AnyTable = TypeVar("AnyTable", bound=Table)
Path_ = tuple[str | int, ...]

_AT = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_PATTERN = re.compile(r"matching regex '\^(.*)\\\\Z'")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is being read, for messages."""

    path: Path
    text: str

    def refuse(self, path: Path_, what: str, advice: str = "") -> NoReturn:
        """Raise a `ConfigError` that says where."""
        raise self.error(path, what, advice)

    def error(self, path: Path_, what: str, advice: str = "") -> ConfigError:
        line = line_of(self.text, path) if self.path.suffix == ".toml" or path else None
        at = f"{self.path.name}, line {line}" if line else self.path.name
        return ConfigError(what, where=f"{at}, {spelled(path)}" if path else at, advice=advice)


def read_text(path: Path, advice: str = "`harvester init` writes one to start from.") -> Source:
    """The text of a configuration file. Raises `ConfigError`, with `advice` where there is none."""
    try:
        return Source(path, path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError("not a text in UTF-8", where=str(path), advice="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path), advice=advice) from None
    except ValueError:
        raise ConfigError("a path with a NUL", where=repr(str(path)), advice="Correct it.") from None


def read_toml(source: Source) -> dict[str, Any]:
    """The file's tables as they stand. Raises `ConfigError` with the line of a mistake."""
    try:
        return tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        said = str(error) or "nested too deeply"
        raise ConfigError(
            f"not TOML: {said}", where=source.path.name, advice="See https://toml.io."
        ) from None


def read_file(source: Source) -> File:
    """The whole configuration file, every key known and of its type."""
    tables = read_toml(source)
    for path, key, known in unknown_keys(tables, File, ()):
        source.refuse((*path, key), f'unknown key "{key}"', did_you_mean(key, known))
    guards = tables.get("guards")
    named: tuple[tuple[Path_, object, type[Table]], ...] = (
        (("applications",), tables.get("applications"), ApplicationTable),
        (("providers",), tables.get("providers"), ProviderTable),
        (("guards", "resources"), guards.get("resources") if isinstance(guards, dict) else None, GuardTable),
    )
    for path, children, table in named:
        for name, value in children.items() if isinstance(children, dict) else ():
            convert(source, value, table, (*path, name))  # one by one: msgspec would not tell the name
    return convert(source, tables, File, ())


def unknown_keys(
    data: object, table: type[Table], path: Path_
) -> Iterator[tuple[Path_, str, tuple[str, ...]]]:
    """Keys that no table has: (path of the table, key, the keys there are)."""
    if not isinstance(data, dict):
        return
    known, nested = keys_of(table), NESTED.get(table, {})
    for key, value in data.items():
        if key not in known:
            yield path, key, known
        elif key in nested:
            for step, child in _children(key, value):
                yield from unknown_keys(child, nested[key], (*path, *step))


def _children(key: str, value: object) -> Iterator[tuple[Path_, object]]:
    if isinstance(value, list):
        yield from (((key, i), child) for i, child in enumerate(value))
    elif key in ("applications", "providers", "resources") and isinstance(value, dict):
        yield from (((key, name), child) for name, child in value.items())
    else:
        yield (key,), value


def convert(source: Source, data: object, table: type[AnyTable], path: Path_) -> AnyTable:
    """Typed and checked; msgspec's words and path become ours. Raises `ConfigError`."""
    try:
        return msgspec.convert(data, table)
    except msgspec.ValidationError as error:
        match = _AT.match(str(error))
        assert match is not None
        steps = _steps(match[2] or "")
        missing = re.search(r"missing required field `(\w+)`", match[1])
        what = f'"{missing[1]}" is missing' if missing else _plain(match[1])
        source.refuse((*path, *steps), what, "docs/configuration.md has all keys.")


def _steps(spelled_path: str) -> Path_:
    """msgspec's `.tenants[3].id` as steps; it does not tell the keys of free tables, `[...]`."""
    return tuple(
        int(index) if index else name for name, index in _STEP.findall(spelled_path) if index != "..."
    )


def _plain(said: str) -> str:
    said = _PATTERN.sub(r"of the form \1", said)
    return said.replace("`", '"').replace("Expected", "expected").replace('"str', '"text', 1)
