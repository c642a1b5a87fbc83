"""From the body of a page to its records, as slices of the provider's own bytes.

A record becomes a line: what the provider sent, less insignificant white space. Number tokens, escapes, the
order of members and duplicate keys stay as they are. The page is checked as a whole; only when that finds
something is each record looked at. What is wrong with one never stops the page: it is a flaw, see `Page`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from harvester.errors import ProtocolError
from harvester.http import surrogates
from harvester.http.client import Reply
from harvester.http.links import next_link, total_of
from harvester.http.rows import Rows, identity, is_tombstone, rows_of
from harvester.model import Page, Window

DEEPEST = 64
"""Levels of nesting in a record; rosters have five. Lakes' readers give up between 64 and 1,024."""
LONGEST = 16 * 1024 * 1024
"""Bytes of a record; DuckDB's reader refuses lines beyond 16 MiB unless told otherwise."""

_BOM = b"\xef\xbb\xbf"
_NOT_RECORDS = frozenset({"statusInfoSet", "imsx_StatusInfo", "imsx_statusInfo", "warnings"})
"""Arrays that OneRoster puts beside the records: remarks on the answer itself."""
_FACTS = ("total", "totalCount", "_meta", "meta", "_links", "links", "next")
_LONGEST_FACT = 64 * 1024
_NOT_OPENING = bytes(set(range(256)) - set(b"{[\n"))

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_elements = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder(Any)


def page_of(
    reply: Reply,
    key: tuple[str, ...],
    window: Window,
    total_header: str = "X-Total-Count",
    *,
    linked: bool = True,
) -> Page:
    """The page that a 200 answer holds: the one array of its object, whatever its name.

    `key`: names of the member that identifies a record, in order of preference. `linked`: whether anybody
    wants to know the next link; reading it takes as long as a tenth of the page. Raises `ProtocolError` for
    what is not JSON, or holds no array of records, or two.
    """
    body, mark = reply.body, b""
    found = None if _is_spaced(body) else _leading(body)
    if found is None:
        body, mark = _compact(body)
        found = _found(body)
    facts = _facts(found.envelope) if found.envelope else {}
    records, flaws = found.records, dict[int, str]()
    rows = None if mark or not _all_fit(records, body) else rows_of(records, key)
    if rows is None:
        rows, flaws = _one_by_one(records, key, window.offset, mark)
    return Page(
        window=window,
        ids=rows.ids,
        versions=rows.versions,
        records=records,
        total=total_of(reply.headers, facts, total_header),
        next_link=next_link(reply.headers, facts, reply.url, foreign="borrow") if linked else None,
        flaws=flaws,
        tombstones=rows.tombstones,
    )


_SPACED = re.compile(rb' (?:(?=[{}\[\],:" ])|(?<=[{}\[\],:"] ))')
"""A space that may be insignificant: beside a bracket, a comma, a colon, a quote or another space.

White space between two tokens always touches one of these, as two numbers or words are never neighbours.
"""


def _is_spaced(body: bytes) -> bool:
    """Whether there may be insignificant white space. A look takes a quarter of what compacting takes."""
    if b"\n" in body or b"\r" in body or b"\t" in body:
        return True
    return b" " in body and _SPACED.search(body) is not None


def object_of(reply: Reply) -> bytes:
    """The one JSON value that a 200 answer holds, as a line. Raises `ProtocolError` for what is no line."""
    body, mark = _compact(reply.body)
    if mark or (why := _unfit(body)):
        raise ProtocolError(f"an unusable object: {surrogates.WHY if mark else why}")
    return body


def record_of(reply: Reply, key: tuple[str, ...]) -> bytes:
    """The record that a 200 answer holds, bare or as the one member of an object, as a line.

    Raises `ProtocolError` where there is none.
    """
    body = object_of(reply)
    if identity(body, key)[0] is not None:
        return body
    inner = [bytes(value) for value in _object(body).values() if _begins(value, b"{")]
    if len(inner) != 1 or identity(inner[0], key)[0] is None:
        raise ProtocolError("no record in the answer", advice=_ASK)
    return inner[0]


def with_parent(record: bytes, key: str, parent_id: str) -> bytes:
    """A child's line that says whose it is: `key` in front, unless the record names it itself.

    What is no object becomes the member `value` of one.
    """
    member = msgspec.json.encode({key: parent_id})
    if not record.startswith(b"{"):
        return member[:-1] + b',"value":' + record + b"}"
    if key in _members.decode(record):
        return record
    return member if record == b"{}" else member[:-1] + b"," + record[1:]


def _compact(body: bytes) -> tuple[bytes, bytes]:
    """The body without insignificant white space, and what marks halves of surrogate pairs in it, if any.

    The decoder takes a page with half a pair for malformed, and a name that was cut in the middle of an
    emoji is no reason to lose its page.
    """
    body = body.removeprefix(_BOM)
    try:
        return msgspec.json.format(body, indent=-1), b""
    except RecursionError:
        raise ProtocolError("JSON nested too deeply", advice=_ASK) from None
    except msgspec.DecodeError:
        disguised = surrogates.disguise(body)
    if disguised is not None:
        try:
            return msgspec.json.format(disguised[0], indent=-1), disguised[1]
        except (msgspec.DecodeError, RecursionError):
            pass
    raise ProtocolError(f"not JSON: {_what_else(body)}", advice=_ASK)


_ASK = "Ask the provider what answers at this address."


def _what_else(body: bytes) -> str:
    start = body[:1024].lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "HTML or XML, perhaps of a proxy in front"
    return "cut off, or malformed" if start in b"{[" else "neither an object nor an array"


def _found(body: bytes) -> _Found:
    """The records of a body without insignificant white space."""
    try:
        return _leading(body) or _any_place(body)
    except RecursionError:
        raise ProtocolError("JSON nested too deeply", advice=_ASK) from None


@dataclass(slots=True)
class _Found:
    """The array of records, cut up, and what stands beside it."""

    records: list[bytes]
    envelope: Mapping[str, msgspec.Raw]


_FIRST_IS_ARRAY = re.compile(rb'\{"([^"\\]{1,100})":(?=\[)')


def _leading(body: bytes) -> _Found | None:
    """The array as the first member of the object, which it nearly always is; None where it isn't.

    Cut in one pass over the body. Where the array ends need not be searched: it is as long as its records
    and the commas between them, now that there is no white space.
    """
    match = _FIRST_IS_ARRAY.match(body)
    if match is None:
        return None
    try:
        name = match[1].decode()
        raws = _member_decoder(name).decode(body).slices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    records = list(map(bytes, raws))
    start = match.end()
    end = start + sum(map(len, records)) + max(0, len(records) - 1) + 2
    last = records[-1] if records else b"["
    if name in _NOT_RECORDS or body[end - 1 : end] != b"]" or not body.endswith(last, start, end - 1):
        return None
    rest = _object(b"{" + body[end + 1 :]) if body[end : end + 1] == b"," else {}
    if name in rest or _arrays(rest):
        return None
    return _Found(records, rest)


@lru_cache(maxsize=64)
def _member_decoder(name: str) -> msgspec.json.Decoder[Any]:
    fields = [("slices", list[msgspec.Raw])]
    return msgspec.json.Decoder(msgspec.defstruct("Member", fields, rename={"slices": name}))


def _any_place(body: bytes) -> _Found:
    """The array wherever it stands. Raises `ProtocolError` when there isn't just one."""
    array, envelope = _split(body)
    records = list(map(bytes, _elements.decode(array)))
    return _Found(records, envelope)


def _split(body: bytes) -> tuple[bytes | msgspec.Raw, Mapping[str, msgspec.Raw]]:
    """The array of records, and everything that stands beside it."""
    if body.startswith(b"["):
        return body, {}
    envelope = _object(body)
    arrays = _arrays(envelope)
    inner = envelope.get("data")
    if not arrays and inner is not None and _begins(inner, b"{"):
        nested = _object(inner)
        arrays = _arrays(nested)
        envelope = {**envelope, **nested}
    if len(arrays) != 1:
        what = "two arrays" if arrays else "no array"
        names = ": " + ", ".join(sorted(ascii(name)[:40] for name in arrays)[:5]) if arrays else ""
        raise ProtocolError(f"{what} in the answer where one of records was expected{names}", advice=_ASK)
    return envelope[arrays[0]], envelope


def _object(body: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _members.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        raise ProtocolError("JSON, but neither an object nor an array of records", advice=_ASK) from None


def _arrays(envelope: Mapping[str, msgspec.Raw]) -> list[str]:
    return [name for name, value in envelope.items() if _begins(value, b"[") and name not in _NOT_RECORDS]


def _begins(raw: msgspec.Raw, bracket: bytes) -> bool:
    return memoryview(raw)[:1].tobytes() == bracket


def _facts(envelope: Mapping[str, msgspec.Raw]) -> dict[str, object]:
    """What the envelope says of the collection. What can't be read is not said."""
    facts: dict[str, object] = {}
    for name in _FACTS:
        if name in envelope and memoryview(envelope[name]).nbytes <= _LONGEST_FACT:
            try:
                facts[name] = _any.decode(envelope[name])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
    return facts


def _all_fit(records: Sequence[bytes], body: bytes) -> bool:
    """Whether no record is flawed in its bytes. May say no too often (brackets within strings), never yes."""
    try:
        body.decode()  # the decoder skips strings without looking at their UTF-8
    except UnicodeDecodeError:
        return False
    if len(body) > LONGEST and max(map(len, records)) > LONGEST:
        return False
    # A record can't be deeper than it has opening brackets: keep these alone, and count per line.
    openings = b"\n".join(records).translate(None, _NOT_OPENING)
    return max(map(len, openings.split(b"\n"))) <= DEEPEST


def _one_by_one(
    records: list[bytes], key: tuple[str, ...], offset: int, mark: bytes
) -> tuple[Rows, dict[int, str]]:
    """What is known of records that are not all as common, and their flaws. Takes disguises off, in place."""
    ids: list[str] = []
    versions: list[bytes] = []
    flaws: dict[int, str] = {}
    for row, record in enumerate(records):
        why, row_id, version = _unfit(record), None, b""
        if mark and (revealed := surrogates.reveal(record, mark)) != record:
            records[row], why = revealed, surrogates.WHY
        if why is None:
            row_id, version = identity(record, key)
            if row_id is None:
                why = f"no {key[0]}" if record.startswith(b"{") else "not an object"
        if why is not None:
            flaws[row] = why
        ids.append(row_id or "")
        versions.append(version)
    taken = set(ids)
    for row in flaws:
        ids[row] = f"\0{offset + row}"  # the same in every window that shows it
        while ids[row] in taken:
            ids[row] += "\0"
    sound = (row for row in range(len(records)) if row not in flaws)
    return Rows(ids, versions, frozenset(row for row in sound if is_tombstone(records[row]))), flaws


def _unfit(record: bytes) -> str | None:
    """What is wrong with the bytes of a record, if anything is."""
    if len(record) > LONGEST:
        return f"longer than {LONGEST // 1024 // 1024} MiB"
    try:
        record.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if record.count(b"{") + record.count(b"[") > DEEPEST and _depth(record) > DEEPEST:
        return f"nested deeper than {DEEPEST} levels"
    return None


def _depth(record: bytes) -> int:
    depth = deepest = 0
    quoted = escaped = False
    for byte in record:
        if quoted:
            quoted = escaped or byte != 0x22
            escaped = not escaped and byte == 0x5C
        elif byte == 0x22:
            quoted = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest
