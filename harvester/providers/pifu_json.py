"""PIFU elements as JSON and back: faithful, reversible, and of one type a path. docs/pifu.md explains it.

An attribute is a member `@name`, text beside attributes or children is `#text`. What may occur once by the
schema is a value, everything else an array; what is text alone by the schema is a string, everything else an
object. Elements of foreign namespaces are named `{namespace}name`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import orjson

SINGLE = frozenset(
    {
        "adminperiod",
        "adr",
        "bday",
        "begin",
        "comments",
        "country",
        "datetime",
        "demographics",
        "description",
        "email",
        "end",
        "extadd",
        "extension",
        "extref",
        "family",
        "fn",
        "full",
        "gender",
        "given",
        "id",
        "idtype",
        "label",
        "locality",
        "long",
        "max",
        "min",
        "mode",
        "n",
        "name",
        "pcode",
        "photo",
        "pobox",
        "region",
        "result",
        "scheme",
        "short",
        "source",
        "status",
        "subrole",
        "timeframe",
        "typevalue",
        "url",
        "values",
    }
)
"""Elements that the schema allows once in their parent."""

STRINGS = frozenset(
    {
        "adminperiod",
        "bday",
        "country",
        "datetime",
        "email",
        "extadd",
        "extref",
        "family",
        "fn",
        "full",
        "gender",
        "given",
        "id",
        "idtype",
        "label",
        "locality",
        "long",
        "pcode",
        "pobox",
        "region",
        "scheme",
        "short",
        "source",
        "status",
        "street",
        "subrole",
        "url",
    }
)
"""Elements that hold text alone, without attributes."""

XML = "{http://www.w3.org/XML/1998/namespace}"
SPACE = " \t\r\n"
"""White space by XML; a no-break space is text."""


@dataclass(slots=True)
class Element:
    """One element while it is read. Its children are values already: no tree is built."""

    name: str
    attributes: dict[str, str]
    """by the names of their members"""
    children: list[tuple[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """What stands before each child; and behind the last one, once the element has ended."""

    def value(self) -> Any:
        """The element's JSON value."""
        value: dict[str, Any] = dict(self.attributes)
        if not self.children:
            if not value and self.name in STRINGS:
                return self.texts[0]
            value["#text"] = self.texts[0]
            return value
        grouped: dict[str, list[Any]] = {}
        previous, apart = "", False
        for name, child in self.children:
            same = grouped.get(name)
            if same is None:
                grouped[name] = [child]
            else:
                same.append(child)
                apart = apart or name != previous
            previous = name
        if apart:  # siblings of one name stand apart: the members can't tell where
            value["#order"] = [name for name, _ in self.children]
        for name, values in grouped.items():
            value[name] = values[0] if len(values) == 1 and name in SINGLE else values
        if "".join(self.texts).strip(SPACE):
            value["#text"] = self.texts
        return value


def member_of(name: str) -> str:
    """The member of an attribute that expat names `namespace}local`, or `local` alone."""
    spelled = f"{{{name}" if "}" in name else name
    return f"@xml:{spelled.removeprefix(XML)}" if spelled.startswith(XML) else f"@{spelled}"


def find(value: Any, name: str) -> Any:
    """The member of that name, in whatever namespace; None if there is none."""
    if not isinstance(value, Mapping):
        return None
    if name in value:
        return value[name]
    return next((found for key, found in value.items() if key.endswith(f"}}{name}")), None)


def entries(value: Any, name: str) -> Sequence[Any]:
    """The elements of that name, in whatever namespace."""
    found = find(value, name)
    if found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def text_of(value: Any) -> str:
    """The text of the (first) element that a value was made of, without white space around it."""
    first = value[0] if isinstance(value, list) and value else value
    text = first.get("#text", "") if isinstance(first, Mapping) else first or ""
    return "".join(text).strip()


def to_xml(line: bytes, resource: str, namespace: str = "") -> bytes:
    """The element that a line was made of; the proof that nothing is lost.

    `resource` is `persons`, `groups` or `memberships`; `namespace` the document's, as its manifest has it. A
    line of `memberships` is a membership of one member: `membership_to_xml` puts the lines together.
    """
    record = orjson.loads(line)
    return _xml(resource.removesuffix("s"), record, record.get("#namespace", namespace), "").encode()


def membership_to_xml(lines: Sequence[bytes], namespace: str = "") -> bytes:
    """The `<membership>` that the lines with one number in `#membership` were made of, in their order.

    A line holds what stood before its member, and one without a member whatever stood behind the last.
    """
    opening, inner, behind, own = "", [], "", namespace
    told = 0
    for line in lines:
        record = orjson.loads(line)
        own = record.get("#namespace", namespace)
        opening, parts, texts = _pieces("membership", record, own, "")
        shared = len(parts) - any(_local(key) == "member" for key in record)
        # What earlier lines have told of all members is not told again.
        inner += [_escaped(text) + part for text, part in zip(texts[told:-1], parts[told:], strict=True)]
        told, behind = shared, _escaped(texts[-1])
    return f"{opening}{''.join(inner)}{behind}</membership>".encode()


def _xml(name: str, value: Any, own: str, inherited: str) -> str:
    """`own`: the namespace of names without one; `inherited`: the one in force where the element stands."""
    opening, parts, texts = _pieces(name, value, own, inherited)
    inner = "".join(_escaped(text) + part for text, part in zip(texts, [*parts, ""], strict=True))
    return f"{opening}{inner}</{_tag(name, own)[1]}>"


def _pieces(name: str, value: Any, own: str, inherited: str) -> tuple[str, list[str], list[str]]:
    """The opening tag, the children, and the texts before each of them and behind the last."""
    namespace, tag = _tag(name, own)
    opening = tag if namespace == inherited else f"{tag} xmlns={_quoted(namespace)}"
    if isinstance(value, str):
        return f"<{opening}>", [], [value]
    opening += "".join(
        f" {_attribute(key, number)}={_quoted(text)}"
        for number, (key, text) in enumerate(value.items())
        if key.startswith("@")
    )
    members = {key: v if isinstance(v, list) else [v] for key, v in value.items() if key[0] not in "@#"}
    order = value.get("#order") or [key for key, values in members.items() for _ in values]
    waiting = {key: iter(values) for key, values in members.items()}
    parts = [_xml(key, next(waiting[key]), own, namespace) for key in order]
    text = value.get("#text", "")
    return f"<{opening}>", parts, text if isinstance(text, list) else [text, *[""] * len(parts)]


def _tag(name: str, own: str) -> tuple[str, str]:
    """The default namespace that an element needs, and what its tag is called."""
    if not name.startswith("{"):
        return own, name
    if name.startswith(XML):  # may not be a default namespace, and needs no declaration
        return own, f"xml:{name.removeprefix(XML)}"
    namespace, _, local = name[1:].rpartition("}")
    return namespace, local


def _attribute(key: str, number: int) -> str:
    """The attribute of a member; a foreign one declares its namespace itself, by a prefix of its own."""
    if not key.startswith("@{"):
        return key[1:]
    namespace, _, local = key[2:].rpartition("}")
    return f"xmlns:a{number}={_quoted(namespace)} a{number}:{local}"


def _local(key: str) -> str:
    return key.rpartition("}")[2]


def _escaped(text: str) -> str:
    return escape(text, {"\r": "&#13;"})  # a bare one would be read as a line feed


def _quoted(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
