"""Where in a TOML file a key stands, for messages; and which known key an unknown one may have meant."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line (from 1) of the key at `path`, e.g. ("tenants", 3, "id"); else of what it stands in."""
    found: int | None = None
    current: list[str | int] = []
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.lstrip()
        if stripped.startswith("["):
            array = stripped.startswith("[[")
            keys, end = _keys(stripped, 2 if array else 1)
            if not keys or not stripped.startswith("]", end):
                continue  # a line of an array
            current = list(_counted(keys, counts))
            if array:
                name = tuple(current)
                current = [*current, counts.get(name, 0)]
                counts[name] = counts.get(name, 0) + 1
            if list(path[: len(current)]) == current:
                found = number
            continue
        keys, end = _keys(line, 0)
        if keys and line.startswith("=", end):
            here = [*current, *keys]
            if list(path) == here:
                return number
            if list(path[: len(here)]) == here:  # within an inline table or an array
                found = number
    return found


def _keys(line: str, at: int) -> tuple[list[str], int]:
    """The dotted key that begins at `at`, and where it ends."""
    keys: list[str] = []
    while match := _KEY.match(line, at):
        keys.append(next(part for part in match.groups() if part is not None))
        at = match.end()
        if not line.startswith(".", at):
            break
        at += 1
    return keys, at


def _counted(keys: Sequence[str], counts: dict[tuple[str | int, ...], int]) -> Iterable[str | int]:
    """A header's keys, with the number of the newest table after the name of each array of tables."""
    path: list[str | int] = []
    for place, key in enumerate(keys):
        path.append(key)
        number = counts.get(tuple(path))
        if number is not None and place < len(keys) - 1:
            path.append(number - 1)
    return path


def spelled(path: Iterable[str | int]) -> str:
    """`("tenants", 3, "id")` -> `tenants[3].id`."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
            continue
        name = step if _BARE.fullmatch(step) else json.dumps(step, ensure_ascii=False)
        out += f".{name}" if out else name
    return out


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice that names the nearest of what there is, or all of it."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, 1, 0.5)
    if near:
        return f'Did you mean "{near[0]}"?'
    listed = ", ".join(choices[:20])
    return f"There are {listed}." if listed else ""
