"""Where in a TOML file a key stands, for messages; and which known key an unknown one may have meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_HEADER = re.compile(r"\s*\[(\[?)\s*([^\]]+?)\s*\]")
_QUOTED = re.compile(r"^[\"']|[\"']$")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line (from 1) of the key at `path`, e.g. ("tenants", 3, "id"); else of its table."""
    found: int | None = None
    current: list[str | int] = []
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            current = [_QUOTED.sub("", part.strip()) for part in header[2].split(".")]
            if header[1]:
                name = tuple(current)
                current = [*current, counts.get(name, 0)]
                counts[name] = counts.get(name, 0) + 1
            if list(path[: len(current)]) == current:
                found = number
            continue
        key = _QUOTED.sub("", line.partition("=")[0].strip())
        if "=" in line and list(path) == [*current, *_dotted(key, len(path) - len(current))]:
            return number
    return found


def _dotted(key: str, parts: int) -> list[str]:
    return [part.strip() for part in key.split(".")] if parts > 1 else [key]


def spelled(path: Iterable[str | int]) -> str:
    """`("tenants", 3, "id")` -> `tenants[3].id`."""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else step
    return out


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice that names the nearest of what there is, or all of it."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, 1, 0.5)
    if near:
        return f'Did you mean "{near[0]}"?'
    listed = ", ".join(choices[:20])
    return f"There are {listed}." if listed else ""
