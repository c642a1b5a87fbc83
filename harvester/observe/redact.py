"""Takes secrets and persons out of log lines: by a key's name, by a value's shape, by every live value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from harvester.errors import HarvesterError

HIDDEN = "***"
DEEPEST = 20
"""Levels of a value that are looked at: what lies deeper, or in a circle, is left out."""

LONGEST = 16 * 1024
"""Characters of one text."""

_NAMES = (
    r"authorization|token|secret|passw(?:or)?d|passphrase|pwd|cookie|signature|credential|api[-_]?key"
    r"|client[-_]?id|bearer|assertion|consumer[-_]?key|nonce|private[-_]?key|session[-_]?id|x-amz-[a-z-]{1,30}"
)
_KEYS = re.compile(_NAMES, re.IGNORECASE)
_VALUE = r"(?:b?(\\*[\"'])(?:(?!\2).)*(?:\2|\Z)|(?!\*\*\*)[^\s&\"',;}\])]+)"
_SHAPES = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\b((?-i:Bearer|Basic|OAuth)(?:\s+|%20|\+))[A-Za-z0-9._~+/=%-]{4,}", rf"\1{HIDDEN}"),
        # Written small it may be prose: only what has the look of a token.
        (
            r"\b((?:Bearer|Basic|OAuth)(?:\s+|%20|\+))(?=\S*(?-i:[A-Z0-9_=+/]))[A-Za-z0-9._~+/=%-]{4,}",
            rf"\1{HIDDEN}",
        ),
        (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*", HIDDEN),
        (r"([a-z][a-z0-9+.-]{1,20}:(?:\\?/){2})[^\s/?#@\"']{1,200}@", rf"\1{HIDDEN}@"),
        (r"(\b(?:authorization|(?:set-)?cookie|x-api-key)\s*:\s*)[^\r\n]+", rf"\1{HIDDEN}"),
        # Queries, forms, JSON: a telling name, what stands between, and its value, quoted or not.
        (
            rf"((?:{_NAMES})[\w.-]{{0,40}}(?:\s*=\s*|%3D|\\*[\"']\s*:\s*))" + _VALUE,
            rf"\1{HIDDEN}",
        ),
        # Names that tell only where they stand in a query.
        (r"([?&](?:sig|sign|key|code|jwt|auth|pass|pin|hmac|state|sid)=)[^&\s\"'#]+", rf"\1{HIDDEN}"),
        # A person's address.
        (r"[\w.!#$%&*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+", HIDDEN),
    )
)
_QUOTED = re.compile(r"(?<!\w)([bru]{0,2})(['\"]).*?(?:(?<!\\)\2|\Z)", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Redactor:
    """Cleans any value that is about to be said. `scrub` replaces the secrets that are alive."""

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub = scrub

    def text(self, text: str) -> str:
        """A text without anything that is, or looks like, a secret."""
        text = self._scrub(text[:LONGEST])
        for pattern, replacement in _SHAPES:
            text = pattern.sub(replacement, text)
        return text

    def foreign(self, text: str) -> str:
        """What an error or a library says: what it quotes is data, and may be a person's."""
        return self.text(_QUOTED.sub(rf"\1\g<2>{HIDDEN}\2", self._scrub(text[:LONGEST])))

    def value(self, value: object, key: str = "", depth: int = 0) -> object:
        """Any value, however nested, and the names in it."""
        if value is None or isinstance(value, bool):
            return value
        if (key and _KEYS.search(key)) or depth > DEEPEST:
            return HIDDEN
        if isinstance(value, Mapping):
            named = ((_written(name, str), inner) for name, inner in value.items())
            return {self.text(name): self.value(inner, name, depth + 1) for name, inner in named}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner, key, depth + 1) for inner in value]
        return self._single(value)

    def _single(self, value: object) -> object:
        """A value that is no collection."""
        match value:
            case int() | float():
                return value if self._scrub(str(value)) == str(value) else HIDDEN
            case str():
                return self.text(str(value))
            case bytes() | bytearray() | memoryview():
                return self.text(bytes(value).decode(errors="backslashreplace"))
            case BaseException():
                return f"{type(value).__name__}: {self.foreign(_written(value, str))}"
            case _:
                return self.text(_written(value, repr))

    def exceptions(self, told: object) -> object:
        """structlog's account of exceptions: their texts, notes and causes are foreign."""
        if isinstance(told, list | tuple):
            return [self.exceptions(inner) for inner in told]
        if not isinstance(told, Mapping):
            return self.value(told)
        account = {key: self.exceptions(inner) for key, inner in told.items()}
        account["exc_value"] = self.foreign(_written(told.get("exc_value"), str))
        account["exc_notes"] = [self.foreign(_written(note, str)) for note in told.get("exc_notes") or ()]
        return account

    def error(self, error: HarvesterError) -> HarvesterError:
        """The same error, and not a live secret in what it says."""
        error.what, error.where, error.advice = map(self._scrub, (error.what, error.where, error.advice))
        error.args = (error.what,)
        return error


def one_line(text: str) -> str:
    """The text without line breaks, and without what would command a terminal."""
    return _CONTROL.sub(" ", text)


def _written(value: object, how: Callable[[object], str]) -> str:
    try:
        return how(value)
    except Exception as error:  # noqa: BLE001 - a broken object must not break the log
        return f"<{type(value).__name__}, whose text failed with {type(error).__name__}>"
