"""Takes secrets out of log lines: by the name of a key, by the shape of a value, and by every live value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

HIDDEN = "***"

_KEYS = re.compile(
    r"authorization|token|secret|passw|cookie|signature|credential|api[-_]?key|client_?id|bearer",
    re.IGNORECASE,
)
_SHAPES = (
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}"), r"\1 " + HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*"), HIDDEN),
    (
        re.compile(
            r"((?:access_token|refresh_token|client_secret|password|oauth_signature|oauth_nonce)=)[^&\s\"']+"
        ),
        r"\1" + HIDDEN,
    ),
    (re.compile(r'((?:oauth_signature|oauth_consumer_key)=")[^"]*'), r"\1" + HIDDEN),
)


class Redactor:
    """Cleans any value that is about to be logged. `scrub` replaces the secrets that are alive."""

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub = scrub

    def text(self, text: str) -> str:
        """A text without anything that is, or looks like, a secret; always one line."""
        text = self._scrub(text)
        for pattern, replacement in _SHAPES:
            text = pattern.sub(replacement, text)
        return text

    def value(self, value: object, key: str = "") -> object:
        """Any value, however nested."""
        if key and _KEYS.search(key) and isinstance(value, str | bytes):
            return HIDDEN
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(name): self.value(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner, key) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(repr(value))
