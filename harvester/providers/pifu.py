"""PIFU-IMS: a stream of XML becomes records, one element at a time; the document is never held.

Source: the schema PIFU-IMS_SAS of the Norwegian Directorate for Education, an IMS Enterprise 1.1 profile.
Its namespace differs by version, so names are matched without it and the namespace is reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

import orjson

from harvester.errors import ProtocolError
from harvester.providers.pifu_json import Element, to_value

DEEPEST = 64
"""Levels of nesting; real documents have ten."""
LONGEST = 16 * 1024 * 1024
"""Characters of one record."""

RESOURCES = {"person": "persons", "group": "groups", "membership": "memberships"}

Record = tuple[str, str | None, bytes]
"""Resource, id (None if it has none), JSON line."""


@dataclass(frozen=True, slots=True)
class PifuSummary:
    """What a document says of itself, and what was in it."""

    namespace: str
    export_type: str | None
    """`full` or `incremental`, as the provider states it"""
    counts: Mapping[str, int]


class PifuParser:
    """Takes a document in chunks, gives records as their elements end. Raises `ProtocolError` alone."""

    def __init__(self) -> None:
        self._expat = expat.ParserCreate(namespace_separator="}")
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._expat.EntityDeclHandler = self._doctype
        self._stack: list[Element] = []
        self._depth = 0
        self._size = 0
        self._namespace: str | None = None
        self._type: str | None = None
        self._ready: list[Record] = []
        self._counts: Counter[str] = Counter()
        self._memberships = 0
        self._common: int | None = None
        """What the members of the open membership share so far: its other children; None before the first."""

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the document."""
        self._parse(chunk, final=False)

    def take(self) -> list[Record]:
        """The records that have ended since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> PifuSummary:
        """See that the document ended with its end tag."""
        self._parse(b"", final=True)
        return PifuSummary(self._namespace or "", self._type, dict(self._counts))

    def _parse(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._expat.Parse(chunk, final)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code) if error.code else "unknown"
            _refuse(f"not well-formed XML: {reason}, line {error.lineno}")
        except (ValueError, LookupError, UnicodeError):
            _refuse("not well-formed XML: an encoding that can't be read")

    # ── what expat tells ────────────────────────────────────────────────────────────────────────────────

    def _doctype(self, *_args: object) -> None:
        _refuse("a DOCTYPE in the document: refused, as it can name files and grow without bound")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            _refuse(f"elements nested deeper than {DEEPEST} levels")
        if self._namespace is None:
            namespace, _, local = name.rpartition("}")
            if local != "enterprise":
                _refuse("the root element is not <enterprise>: no PIFU document")
            self._namespace = namespace
            return
        if self._depth == 2:
            self._size = 0
            self._common = None
            self._memberships += self._local(name) == "membership"
        self._grow(len(name) + sum(map(len, attributes.values())))
        element = Element(self._local(name), {self._attribute(k): v for k, v in attributes.items()})
        if self._stack:
            self._stack[-1].children.append(element)
            self._stack[-1].texts.append("")
        self._stack.append(element)

    def _text(self, text: str) -> None:
        if self._stack:
            self._grow(len(text))
            self._stack[-1].texts[-1] += text

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if not self._stack:
            return
        element = self._stack.pop()
        if not self._stack:
            self._top(element)
        elif len(self._stack) == 1 and self._stack[0].name == "membership" and element.name == "member":
            self._member(self._stack[0])

    def _top(self, element: Element) -> None:
        """A child of <enterprise> has ended."""
        if element.name == "properties":
            stated = element.child("type")
            self._type = stated.text.strip() if stated is not None else None
        elif element.name == "membership":
            if self._common != len(element.children):
                self._member(element)  # it has no members, or something behind the last one
        elif element.name in RESOURCES:
            self._emit(element.name, _identity(element), to_value(element))

    def _member(self, membership: Element) -> None:
        """One member: a record with what its membership says in common. It is dropped from the tree."""
        member = membership.child("member")
        parts = [_identity(membership), _identity(member) if member is not None else None]
        roles = (
            [role.attributes.get("roletype", "") for role in member.children if role.name == "role"]
            if member
            else []
        )
        row_id = None if parts[0] is None else "|".join([*(part or "" for part in parts), ",".join(roles)])
        value = to_value(membership)
        self._emit("membership", row_id, {"#membership": self._memberships, **value})
        if member is not None:
            place = membership.children.index(member)
            del membership.children[place], membership.texts[place + 1]
            self._size = 0
        self._common = len(membership.children)

    def _emit(self, name: str, row_id: str | None, value: object) -> None:
        resource = RESOURCES[name]
        self._counts[resource] += 1
        self._ready.append((resource, row_id, orjson.dumps(value)))

    def _grow(self, characters: int) -> None:
        self._size += characters
        if self._size > LONGEST:
            _refuse(f"a record longer than {LONGEST // 1024 // 1024} MiB")

    def _local(self, name: str) -> str:
        """The name without the document's own namespace; foreign ones stay, in Clark's notation."""
        namespace, _, local = name.rpartition("}")
        return local if namespace == self._namespace else f"{{{namespace}}}{local}"

    def _attribute(self, name: str) -> str:
        namespace, _, local = name.rpartition("}")
        return f"{{{namespace}}}{local}" if namespace else local


def _identity(element: Element) -> str | None:
    """`source|id` of the sourcedid in force: of type New or none rather than Old or Duplicate."""
    found = [child for child in element.children if child.name == "sourcedid"]
    found.sort(key=lambda child: child.attributes.get("sourcedidtype", "New") != "New")
    for sourced in found:
        source, own = sourced.child("source"), sourced.child("id")
        if own is not None and own.text.strip():
            parts = [source.text.strip() if source is not None else "", own.text.strip()]
            return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)
    return None


def _refuse(what: str) -> NoReturn:
    raise ProtocolError(what, advice="Ask the provider what its export holds.")
