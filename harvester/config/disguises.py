"""Finds secrets in texts, in all the forms in which they travel, however many there are."""

from __future__ import annotations

import base64
import json
import re
import threading
from bisect import insort
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters from which a value is hidden: shorter ones stand in ordinary text everywhere."""


class Scrubber:
    """Live values, indexed by how their forms begin: a line of a log is walked once, not once a secret."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: dict[str, list[str]] = {}
        self._adding = threading.Lock()

    def add(self, value: str) -> None:
        """Hide this value from now on."""
        if len(value) < SHORTEST or value in self._known:
            return
        with self._adding:
            self._known.add(value)
            for form in disguises(value):
                # Longest first. Whoever reads meanwhile may meet a form twice, but misses none.
                insort(self._forms.setdefault(form[:SHORTEST], []), form, key=lambda known: -len(known))

    def scrub(self, text: str, mark: str) -> str:
        """`text` with `mark` in place of every stretch that live values cover, alone or overlapping."""
        forms = self._forms
        if not forms:
            return text
        kept: list[str] = []
        begin, end = 0, -1
        for at in range(len(text) - SHORTEST + 1):
            found = forms.get(text[at : at + SHORTEST])
            length = next((len(form) for form in found if text.startswith(form, at)), 0) if found else 0
            if not length:
                continue
            if at > end:  # else it overlaps or touches the stretch before
                kept += [text[begin:at], mark]
            end = max(end, at + length)
            begin = end
        return "".join([*kept, text[begin:]])


def disguises(value: str) -> set[str]:
    """The forms in which a secret travels: plain, percent-encoded, JSON-escaped, base64."""
    escaped = value.encode(errors="surrogatepass").decode(errors="replace")
    encoded = {quote(escaped, safe=""), quote_plus(escaped), quote(escaped, safe="/")}
    forms = {
        value,
        *encoded,
        *(re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in encoded),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        ascii(value)[1:-1],
        *_base64(escaped),
        *_base64(quote_plus(escaped)),  # as HTTP Basic holds it
    }
    return {form for form in forms if len(form) >= SHORTEST}


def _base64(value: str) -> Iterator[str]:
    """The base64 of a value, also where something else stands before it, as in HTTP Basic's `id:secret`.

    Three characters become four, so a value lies in one of three ways; the letters at its borders depend
    on its neighbours, and are left out.
    """
    data = value.encode()
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + data).decode()
        first = -(-shift * 8 // 6)
        last = (shift + len(data)) * 8 // 6
        inner = whole[first:last]
        # Shorter ones would hide ordinary words.
        if len(inner) >= SHORTEST + 2 or (shift == 0 and len(inner) >= SHORTEST):
            yield inner
            yield inner.translate({ord("+"): "-", ord("/"): "_"})
    yield base64.b64encode(data).decode()
    yield base64.urlsafe_b64encode(data).decode()
