"""Finds secrets in texts, in all the forms in which they travel, however many there are."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from bisect import insort
from collections.abc import Iterator
from itertools import takewhile
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters from which a value is hidden anywhere: shorter ones stand in ordinary words. See `TINIEST`."""
TINIEST = 2
"""Characters from which a value is hidden where it stands alone, with no letter or digit beside it."""
TELLING, ENOUGH = 8, 16
"""A value that was cut short is hidden from 8 characters, if they are half of it, and from 16 in any case."""


class Scrubber:
    """Live values, indexed by how their forms begin: a line of a log is walked once, not once a secret."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: dict[str, list[str]] = {}
        self._tiny: re.Pattern[str] | None = None
        self._adding = threading.Lock()

    def add(self, value: str) -> None:
        """Hide this value from now on."""
        if len(value) < TINIEST or value in self._known:
            return
        with self._adding:
            self._known.add(value)
            if len(value) < SHORTEST:
                self._tiny = _standing_alone({known for known in self._known if len(known) < SHORTEST})
            for form in disguises(value):
                # Longest first. Whoever reads meanwhile may meet a form twice, but misses none.
                insort(self._forms.setdefault(form[:SHORTEST], []), form, key=lambda known: -len(known))

    def scrub(self, text: str, mark: str) -> str:
        """`text` with `mark` in place of every stretch that live values cover, alone or overlapping."""
        forms, tiny = self._forms, self._tiny
        kept: list[str] = []
        begin, end = 0, -1
        for at in range(len(text) - SHORTEST + 1 if forms else 0):
            found = forms.get(text[at : at + SHORTEST])
            length = _covered(text, at, found) if found else 0
            if not length:
                continue
            if at > end:  # else it overlaps or touches the stretch before
                kept += [text[begin:at], mark]
            end = max(end, at + length)
            begin = end
        scrubbed = "".join([*kept, text[begin:]])
        return scrubbed if tiny is None else tiny.sub(mark, scrubbed)


def _covered(text: str, at: int, forms: list[str]) -> int:
    """How far a form that begins like the text at `at` covers it; also one that a message has cut short."""
    whole = next((len(form) for form in forms if text.startswith(form, at)), 0)
    if whole:
        return whole
    longest = 0
    for form in forms:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(form, text[at : at + len(form)], strict=False))
        shared = sum(1 for _ in alike)
        if shared >= max(TELLING, min(len(form) // 2, ENOUGH)):
            longest = max(longest, shared)
    return longest


def _standing_alone(values: set[str]) -> re.Pattern[str]:
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, longest_first))})(?![^\W_])")


def disguises(value: str) -> set[str]:
    """The forms in which a secret travels: plain, percent-encoded, escaped for JSON or HTML, base64."""
    escaped = value.encode(errors="surrogatepass").decode(errors="replace")
    encoded = {quote(escaped, safe=""), quote_plus(escaped), quote(escaped, safe="/")}
    forms = {
        value,
        *encoded,
        *(re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in encoded),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1].replace("/", "\\/"),  # as PHP writes it
        json.dumps(json.dumps(value)[1:-1])[1:-1],  # JSON within JSON
        html.escape(value),
        html.escape(value, quote=False),
        *(quote(form, safe="") for form in encoded),  # a URL within a URL
        repr(escaped.encode())[2:-1],
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
