"""PIFU-IMS: a stream of XML becomes records, one element at a time; the document is never held.

Source: the schema PIFU-IMS_SAS of the Norwegian Directorate for Education, an IMS Enterprise 1.1 profile.
Its namespace differs by version, and a document may mix them: records are found by their local names,
whatever the namespace, and a document in which nothing is found is refused rather than believed empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from xml.parsers import expat

import orjson

from harvester.errors import ProtocolError
from harvester.providers.pifu_json import SPACE, Element, entries, find, member_of, text_of

KiB = 1024
MiB = 1024 * KiB
DEEPEST = 64
"""Levels of nesting; real documents have ten."""
LONGEST = 16 * MiB
"""Characters of one record, with what its pieces weigh."""
WEIGHT = 128
"""Characters that an element or attribute counts for besides its text: empty ones cost memory too."""
PIECE = 32
"""The same for a piece of text: markup within can cut it into thousands."""
SHARED = 16 * KiB
"""Characters that a membership may say of all its members: each of their records repeats them."""
TOKEN = MiB
"""Bytes of one tag, comment or processing instruction, which the XML library holds until it ends."""
NAMES = 10_000
"""Different names in a document, of `NAME` characters at most: the library keeps all. Real ones have 100."""
NAME = 1000
STATED = 64
"""Characters kept of what a document calls its type."""
SHOWN = 40
"""Characters of an element's name in messages."""
ADVICE = "Ask the provider what its export holds."

RESOURCES = {"person": "persons", "group": "groups", "membership": "memberships"}
KNOWN = frozenset({"comments", "properties"})
"""What else the schema has below <enterprise>."""

Record = tuple[str, str | None, bytes]
"""Resource, id (None if it has none), JSON line."""


@dataclass(frozen=True, slots=True)
class PifuSummary:
    """What a document says of itself, and what was in it."""

    namespace: str
    export_type: str | None
    """`full` or `incremental`, as the provider states it"""
    counts: Mapping[str, int]
    others: Mapping[str, int]
    """Elements beside the records that the schema does not have, the most frequent ones, by name"""


class PifuParser:
    """Takes a document in chunks, gives records as their elements end. Raises `ProtocolError` alone."""

    def __init__(self) -> None:
        self._expat = expat.ParserCreate(namespace_separator="}")
        self._expat.buffer_text = True
        self._expat.buffer_size = 64 * KiB
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text
        self._expat.StartNamespaceDeclHandler = self._prefix
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._expat.EntityDeclHandler = self._doctype
        self._fed = 0
        self._stack: list[Element] = []
        self._pieces: list[str] = []
        """Text since the last tag."""
        self._size = 0
        self._namespace: str | None = None
        self._spellings = _Spellings()
        self._prefixes: set[str | None] = set()
        self._type: str | None = None
        self._described = False
        """Whether <properties> says what the schema demands of it."""
        self._ready: list[Record] = []
        self._counts: Counter[str] = Counter()
        self._others: Counter[str] = Counter()
        self._memberships = 0
        self._shared = _Shared()

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the document."""
        self._parse(chunk, final=False)
        self._fed += len(chunk)
        if self._fed - self._expat.CurrentByteIndex > TOKEN + len(chunk):
            _refuse(f"a tag, comment or processing instruction longer than {TOKEN // MiB} MiB")

    def take(self) -> list[Record]:
        """The records that have ended since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> PifuSummary:
        """See that the document ended with its end tag, and that it held what an export holds."""
        self._parse(b"", final=True)
        others = {name[:SHOWN]: count for name, count in self._others.most_common(5)}
        if not self._counts and others:
            found = ", ".join(f"{count} of <{name}>" for name, count in others.items())
            _refuse(f"no person, group or membership in the document, but {found}")
        if not self._counts and not self._described:
            _refuse("an <enterprise> without records and without a description in <properties>: no export")
        return PifuSummary(self._namespace or "", self._type, dict(self._counts), others)

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

    def _prefix(self, prefix: str | None, _uri: str) -> None:
        self._prefixes.add(prefix)
        if len(self._prefixes) > NAMES:
            _refuse(f"more than {NAMES} different prefixes")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        stack = self._stack
        depth = len(stack)
        if depth == 0:
            self._root(name)
            return
        if depth == 1:
            attributes = {**self._record(name), **attributes}
        elif depth >= DEEPEST:
            _refuse(f"elements nested deeper than {DEEPEST} levels")
        else:
            stack[-1].texts.append(self._said())
        spellings = self._spellings
        local = spellings.elements.get(name) or spellings.element(name)
        if depth > 1 and name in spellings.records:
            self._see_place(name.rpartition("}")[2])
        self._size += len(local) + WEIGHT
        if attributes:
            known = spellings.attributes
            attributes = {
                known.get(key) or spellings.attribute(key): text for key, text in attributes.items()
            }
            self._size += sum(map(len, attributes.values())) + WEIGHT * len(attributes)
        if self._size > LONGEST:
            _too_long()
        if depth == 1:
            self._shared.size = self._size
        elif depth == 2 and self._shared.size > SHARED and _is_member(stack[1], local):
            _refuse(f"a membership that says more than {SHARED // KiB} KiB of all its members")
        stack.append(Element(local, attributes))

    def _text(self, text: str) -> None:
        if len(self._stack) > 1:
            self._size += len(text) + PIECE
            if self._size > LONGEST:
                _too_long()
            self._pieces.append(text)
        elif text.strip(SPACE):
            self._others["text"] += 1

    def _end(self, _name: str) -> None:
        stack = self._stack
        element = stack.pop()
        depth = len(stack)
        if depth == 0:
            return
        element.texts.append(self._said())
        if depth == 1:
            self._top(element)
        elif depth == 2 and _is_member(stack[1], element.name):
            self._member(stack[1], element.name, element.value())
        else:
            stack[-1].children.append((element.name, element.value()))
            if depth == 2:
                self._shared.size = self._size

    def _said(self) -> str:
        """The text since the last tag."""
        pieces = self._pieces
        if not pieces:
            return ""
        text = pieces[0] if len(pieces) == 1 else "".join(pieces)
        pieces.clear()
        return text

    # ── what it means ───────────────────────────────────────────────────────────────────────────────────

    def _root(self, name: str) -> None:
        namespace, _, local = name.rpartition("}")
        if local != "enterprise":
            _refuse(f"the root element is <{local[:SHOWN]}>, not <enterprise>: no PIFU document")
        self._namespace = namespace
        self._stack.append(Element(local, {}))

    def _record(self, name: str) -> dict[str, str]:
        """A child of <enterprise> begins. It tells its namespace, unless that is the document's."""
        namespace, _, local = name.rpartition("}")
        self._size = 0
        self._shared = _Shared()
        self._spellings.within(namespace)
        self._memberships += local == "membership"
        if local not in RESOURCES and local not in KNOWN:
            self._others[self._spellings.element(name)] += 1
        return {} if namespace == self._namespace else {"#namespace": namespace}

    def _see_place(self, local: str) -> None:
        """A record must not stand where it is not read as one, but for the extension of another."""
        around = [element.name.rpartition("}")[2] for element in self._stack[1:]]
        if around[0] not in RESOURCES or "extension" not in around:
            _refuse(f"a <{local}> inside of <{around[-1][:SHOWN]}>, where records are not expected")

    def _top(self, element: Element) -> None:
        """A child of <enterprise> has ended."""
        if element.name == "properties":
            self._properties(element.value())
        elif element.name == "membership":
            shared = self._shared
            if (
                not shared.members
                or len(element.children) > shared.children
                or element.texts[-1].strip(SPACE)
            ):
                value = {"#membership": self._memberships, **element.value()}
                self._emit("membership", _row_id(_identity(value), None), orjson.dumps(value))
        elif element.name in RESOURCES:
            value = element.value()
            self._emit(element.name, _identity(value), orjson.dumps(value))

    def _properties(self, value: Any) -> None:
        stated = find(value, "type")
        if stated is not None and self._type in (
            None,
            "full",
        ):  # whatever else is said must not hide behind it
            self._type = text_of(stated)[:STATED]
        self._described = any(find(value, name) is not None for name in ("type", "datasource", "datetime"))

    def _member(self, membership: Element, name: str, member: Any) -> None:
        """A record of one member, with what its membership has said of all so far."""
        shared = self._shared
        before = membership.texts.pop()
        own = orjson.dumps(member)
        if (shared.children, shared.name) != (len(membership.children), name) or before.strip(SPACE):
            shared.opening = None
        if shared.opening is None:
            children, texts = [*membership.children, (name, member)], [*membership.texts, before, ""]
            value = Element("membership", membership.attributes, children, texts).value()
            line = orjson.dumps({"#membership": self._memberships, **value})
            shared.identity = _identity(value)
            # With text between children, that is what the line ends with, and it is put together each time.
            shared.opening = None if "#text" in value else line[: -len(own) - 2]  # of `...,"member":[{...}]}`
        else:
            line = shared.opening + own + b"]}"
        shared.members += 1
        shared.name = name
        shared.children = len(membership.children)
        self._size = shared.size
        self._emit("membership", _row_id(shared.identity, member), line)

    def _emit(self, name: str, row_id: str | None, line: bytes) -> None:
        resource = RESOURCES[name]
        self._counts[resource] += 1
        self._ready.append((resource, row_id, line))


@dataclass(slots=True)
class _Shared:
    """What the members of the open membership have in common so far."""

    size: int = 0
    """in characters; the text between members is not theirs"""
    children: int = 0
    """of the membership, when the last member ended"""
    members: int = 0
    name: str = ""
    """what the last member was called; foreign ones have their namespace"""
    identity: str | None = None
    opening: bytes | None = None
    """The line of any of them, up to the member itself; None while it has to be put together anew."""


class _Spellings:
    """The document's names as members are called. Each is spelled once; there is a bound to how many."""

    def __init__(self) -> None:
        self.elements: dict[str, str] = {}
        """Of the present record's namespace: expat's name -> ours."""
        self.attributes: dict[str, str] = {"#namespace": "#namespace"}
        self.records: set[str] = set()
        """expat's names of persons, groups and memberships, in any namespace"""
        self._namespace = ""
        self._by_namespace: dict[str, dict[str, str]] = {}
        self._different = 0

    def within(self, namespace: str) -> None:
        """Spell for a record of this namespace."""
        self._namespace = namespace
        known = self._by_namespace.get(namespace)
        if known is None:
            self._count(namespace)
            known = self._by_namespace[namespace] = {}
        self.elements = known

    def element(self, name: str) -> str:
        """The name without the record's own namespace; foreign ones stay, in Clark's notation."""
        self._count(name)
        namespace, _, local = name.rpartition("}")
        if local in RESOURCES:
            self.records.add(name)
        spelled = self.elements[name] = local if namespace == self._namespace else f"{{{namespace}}}{local}"
        return spelled

    def attribute(self, name: str) -> str:
        """The member of an attribute."""
        self._count(name)
        spelled = self.attributes[name] = member_of(name)
        return spelled

    def _count(self, name: str) -> None:
        self._different += 1
        if len(name) > NAME:
            _refuse(f"a name or namespace longer than {NAME} characters")
        if self._different > NAMES:
            _refuse(f"more than {NAMES} different names")


def _is_member(parent: Element, name: str) -> bool:
    return parent.name == "membership" and (name == "member" or name.endswith("}member"))


def _identity(value: Any) -> str | None:
    """`source|id` of the sourcedid in force: of type New or none rather than Old or Duplicate."""
    found = [each for each in entries(value, "sourcedid") if text_of(find(each, "id"))]
    if not found:
        return None
    force = min(found, key=lambda each: each.get("@sourcedidtype", "New") != "New")
    return f"{_escaped(text_of(find(force, 'source')))}|{_escaped(text_of(find(force, 'id')))}"


def _row_id(group: str | None, member: Any) -> str | None:
    """Group, member and roles; None without a group."""
    if group is None:
        return None
    roles = [_escaped(role.get("@roletype", "")).replace(",", "\\,") for role in entries(member, "role")]
    return f"{group}|{_identity(member) or ''}|{','.join(roles)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _too_long() -> NoReturn:
    _refuse(f"a record longer than {LONGEST // MiB} MiB")


def _refuse(what: str) -> NoReturn:
    raise ProtocolError(what, advice=ADVICE)
