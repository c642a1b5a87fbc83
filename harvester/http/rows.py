"""Who a record is: its id, its version, and whether it says that it is deleted.

Read for all records of a page at once. OneRoster puts these three members first, and most providers keep to
that: then the heads of the records are read, and the rest of them is not looked at a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

_text = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class Rows:
    """What is known of records beside their bytes."""

    ids: list[str]
    versions: list[bytes]
    tombstones: frozenset[int]
    """Numbers of the rows that say they are deleted."""


def rows_of(records: Sequence[bytes], key: tuple[str, ...]) -> Rows | None:
    """What is known of sound records in compact JSON; None when they are not all as common.

    `key`: names of the member that identifies a record, in order of preference.
    """
    rows = _read_heads(records, key[0]) if len(key) == 1 else None
    if rows is None:
        rows = _read(_row_decoder(key), records)
    if rows is None:
        return None
    ids = list(map(attrgetter("id0"), rows))
    if len(key) > 1:
        ids = [next(filter(None, names), "") for names in map(_names(len(key)), rows)]
    if not all(ids):
        return None
    versions = [row.version.encode() if row.version else b"" for row in rows]
    return Rows(ids, versions, frozenset([i for i, row in enumerate(rows) if row.status == "tobedeleted"]))


def _read_heads(records: Sequence[bytes], key: str) -> list[Any] | None:
    """The same of no more than the first three members; None where these are not what is looked for.

    A head is cut in front of a member, or is the whole record. Where the cut falls on something else, what
    remains is no JSON, or lacks one of the three.
    """
    if not records:
        return []
    start = max(len(b',"'.join(record.split(b',"', 3)[:3])) for record in (records[0], records[-1]))
    heads = [record[: record.find(b',"', start)] for record in records]
    return _read(_head_decoder(key), heads, end=b"}")


def _read(decoder: msgspec.json.Decoder[Any], records: Sequence[bytes], end: bytes = b"") -> list[Any] | None:
    if not records:
        return []
    try:
        rows: list[Any] = decoder.decode(b"[" + (end + b",").join(records) + end + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return rows if len(rows) == len(records) else None


@lru_cache(maxsize=64)
def _head_decoder(key: str) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [("id0", str), ("version", str | None), ("status", str | None)]
    row = msgspec.defstruct("Head", fields, rename={"id0": key, "version": "dateLastModified"}, gc=False)
    return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]


@lru_cache(maxsize=64)
def _row_decoder(key: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Reads all records of an array at once: the common case, where what is looked for are strings."""
    names = [f"id{i}" for i in range(len(key))]
    fields: list[Any] = [(name, str | None, None) for name in names] if len(key) > 1 else [("id0", str)]
    row = msgspec.defstruct(
        "Row",
        [*fields, ("version", str | None, None), ("status", str | None, None)],
        rename={**dict(zip(names, key, strict=True)), "version": "dateLastModified"},
        gc=False,
    )
    return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]


@lru_cache(maxsize=8)
def _names(count: int) -> attrgetter[Any]:
    return attrgetter(*(f"id{i}" for i in range(count)))


def identify(lines: Sequence[bytes], key: tuple[str, ...]) -> tuple[list[str], list[bytes]]:
    """Ids and versions of records that have an id, as `page_of` gave them."""
    rows = rows_of(lines, key)
    if rows is not None:
        return rows.ids, rows.versions
    pairs = [identity(line, key) for line in lines]
    return [row_id or "" for row_id, _ in pairs], [version for _, version in pairs]


class _Status(msgspec.Struct):
    status: msgspec.Raw = msgspec.Raw(b"null")


_status = msgspec.json.Decoder(_Status)


def is_tombstone(record: bytes) -> bool:
    """Whether a record says of itself that it is deleted: its `status` is `tobedeleted`."""
    return b'"tobedeleted"' in record and bytes(_status.decode(record).status) == b'"tobedeleted"'


@lru_cache(maxsize=64)
def _raw_decoder(key: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    names = [f"id{i}" for i in range(len(key))]
    row = msgspec.defstruct(
        "RawRow",
        [(name, msgspec.Raw, msgspec.Raw(b"null")) for name in [*names, "version"]],
        rename={**dict(zip(names, key, strict=True)), "version": "dateLastModified"},
    )
    return msgspec.json.Decoder(row)


def identity(record: bytes, key: tuple[str, ...]) -> tuple[str | None, bytes]:
    """A sound record's id, None where it has none, and its version. Numbers become their text."""
    try:
        row = _raw_decoder(key).decode(record)
    except msgspec.DecodeError:
        return None, b""
    *ids, version = msgspec.structs.astuple(row)
    return next(filter(None, map(_word, ids)), None), (_word(version) or "").encode()


def _word(raw: msgspec.Raw) -> str | None:
    """A string's content, a number's text; nothing else is a word."""
    token = bytes(raw)
    if token.startswith(b'"'):
        return _text.decode(token)
    return token.decode() if token[:1] in b"-0123456789" else None
