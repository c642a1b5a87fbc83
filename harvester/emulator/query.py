"""OneRoster's query language: filter, sort, orderBy, fields, limit, offset (REST binding, section 3.4)."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harvester.emulator.roster import Record, Row

LIMIT = 100

_PREDICATE = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(!=|>=|<=|=|>|<|~)\s*'((?:[^']|'')*)'\s*")
_BEHIND = re.compile(r"\s*sourcedId\s*(>=|>)\s*'((?:[^']|'')*)'\s*")
_JOINT = re.compile(r"(AND|OR)\b", re.IGNORECASE)
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "~": lambda a, b: b.lower() in a.lower(),
}


class QueryError(ValueError):
    """A query that the specification refuses; `minor` is its imsx code."""

    def __init__(self, minor: str, said: str, *, status: int = 400) -> None:
        super().__init__(said)
        self.minor = minor
        self.status = status


@dataclass(frozen=True, slots=True)
class Query:
    """One request's wishes."""

    limit: int = LIMIT
    offset: int = 0
    sort: str = ""
    descending: bool = False
    filter: str = ""
    fields: tuple[str, ...] = ()


def read_query(parameters: Mapping[str, str], *, largest: int, any_case: bool = False) -> Query:
    """Parameters as a query. `any_case`: `Limit` is as good as `limit`. Raises `QueryError`."""
    known = {name.lower(): value for name, value in parameters.items()} if any_case else dict(parameters)
    limit = _number(known.get("limit"), "limit", LIMIT, least=1)
    return Query(
        limit=min(limit, largest),
        offset=_number(known.get("offset"), "offset", 0, least=0),
        sort=known.get("sort", ""),
        descending=known.get("orderBy", known.get("orderby", "asc")).lower() == "desc",
        filter=known.get("filter", ""),
        fields=tuple(field.strip() for field in known.get("fields", "").split(",") if field.strip()),
    )


def _number(text: str | None, name: str, default: int, *, least: int) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < least:
        raise QueryError("invalid_data", f"{name} is no whole number from {least}")
    return int(text)


def chosen(rows: Sequence[Row], query: Query, vice: str = "") -> list[Row]:
    """The rows that the filter lets through, in the order asked for; by id where none is."""
    kept = _filtered(rows, query.filter, vice) if query.filter and vice != "ignored" else list(rows)
    if query.sort and kept and query.sort != "sourcedId":
        # A field that no record has sorts nothing, as the specification wants it.
        kept.sort(key=lambda row: (_text(_reach(row.value, query.sort)), row.id))
    if query.descending:
        kept.reverse()
    return kept


def _filtered(rows: Sequence[Row], text: str, vice: str) -> list[Row]:
    if vice == "refused" or (vice == "refuse-inclusive" and ">=" in text):
        raise QueryError("invalid_filter_field", "this filter is not supported")
    if vice == "exclusive":
        text = text.replace(">=", ">")
    behind = _BEHIND.fullmatch(text)
    if behind is None:
        return [row for row in rows if matches(row.value, text)]
    own = behind[2].replace("''", "'")
    if vice == "nocase":
        holds = _OPERATORS[behind[1]]
        return [row for row in rows if holds(row.id.lower(), own.lower())]
    cut = bisect_left if behind[1] == ">=" else bisect_right  # rows stand in order of id
    return list(rows[cut(rows, own, key=lambda row: row.id) :])


def matches(record: Record, text: str) -> bool:
    """Whether a record satisfies a filter; AND binds as it stands, from left to right."""
    place, verdict, joint = 0, True, "AND"
    while True:
        match = _PREDICATE.match(text, place)
        if match is None:
            raise QueryError("invalid_filter_field", "the filter can't be read")
        value = match[3].replace("''", "'")
        holds = any(_OPERATORS[match[2]](_text(found), value) for found in _values(_reach(record, match[1])))
        verdict = (verdict and holds) if joint == "AND" else (verdict or holds)
        place = match.end()
        if place == len(text):
            return verdict
        following = _JOINT.match(text, place)
        if following is None:
            raise QueryError("invalid_filter_field", "the filter can't be read")
        joint, place = following[1].upper(), following.end()


def only(row: Row, fields: Sequence[str]) -> bytes:
    """A record with the fields asked for; a field that it does not have is an error."""
    if not fields:
        return row.text
    if not any(field in row.value for field in fields):
        raise QueryError("invalid_selection_field", "no such field")
    kept = {name: value for name, value in row.value.items() if name in fields}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def _reach(record: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(record, list):
            record = record[0] if record else None
        record = record.get(step) if isinstance(record, dict) else None
    return record


def _values(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
