"""PIFU elements as JSON and back: faithful, reversible, and of one type a path. docs/pifu.md explains it.

An attribute is a member `@name`, text beside attributes or children is `#text`. What may occur once by the
schema is a value, everything else an array; what is text alone by the schema is a string, everything else an
object. Elements of foreign namespaces are named `{namespace}name`.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class Element:
    """One element while its record is put together. Names in Clark's notation for foreign namespaces."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=lambda: [""])
    """One more than children: what stands before, between and behind them."""

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def child(self, name: str) -> Element | None:
        return next((child for child in self.children if child.name == name), None)


def to_value(element: Element) -> Any:
    """The JSON value of an element."""
    if element.name in STRINGS and not element.attributes and not element.children:
        return element.text
    value: dict[str, Any] = {_attribute(name): text for name, text in element.attributes.items()}
    grouped: dict[str, list[Any]] = {}
    for child in element.children:
        grouped.setdefault(child.name, []).append(to_value(child))
    names = [child.name for child in element.children]
    if names != [name for name, values in grouped.items() for _ in values]:
        value["#order"] = names  # siblings of different names stand mixed: the members can't tell how
    for name, values in grouped.items():
        value[name] = values[0] if name in SINGLE and len(values) == 1 else values
    if not element.children:
        value["#text"] = element.text
    elif element.text.strip():
        value["#text"] = element.texts
    return value


def to_xml(line: bytes, resource: str) -> bytes:
    """The element that a line was made of, without a namespace of its own; the proof that nothing is lost.

    `resource` is `persons`, `groups` or `memberships`.
    """
    record = {key: value for key, value in orjson.loads(line).items() if key != "#membership"}
    return _xml(resource.removesuffix("s"), record).encode()


def _xml(name: str, value: Any) -> str:
    if isinstance(value, str):
        return f"<{_tag(name)}>{escape(value)}</{name.rpartition('}')[2]}>"
    attributes = "".join(
        f" {_untag(key)}={_quoted(text)}" for key, text in value.items() if key.startswith("@")
    )
    members = {key: v if isinstance(v, list) else [v] for key, v in value.items() if key[0] not in "@#"}
    order = value.get("#order") or [key for key, values in members.items() for _ in values]
    waiting = {key: iter(values) for key, values in members.items()}
    inner = [_xml(key, next(waiting[key])) for key in order]
    text = value.get("#text", "")
    texts = text if isinstance(text, list) else [text, *[""] * len(inner)]
    body = escape(texts[0]) + "".join(
        part + escape(after) for part, after in zip(inner, texts[1:], strict=True)
    )
    return f"<{_tag(name)}{attributes}>{body}</{name.rpartition('}')[2]}>"


def _quoted(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _attribute(name: str) -> str:
    return f"@xml:{name.removeprefix(XML)}" if name.startswith(XML) else f"@{name}"


def _tag(name: str) -> str:
    """The opening of a tag; a foreign element declares its namespace itself."""
    namespace, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    return f"{local} xmlns={quoteattr(namespace)}" if namespace else local


def _untag(key: str) -> str:
    name = key[1:]
    namespace, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    return f"xmlns:a={quoteattr(namespace)} a:{local}" if namespace else name
