"""What an answer says of the collection around it: its size, and where the next page is.

A link is hearsay: only its query is ever taken over. Scheme, host and port of what we ask next are those of
what we asked before, and so is the path unless the link goes below it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from harvester.errors import ProtocolError

LARGEST_TOTAL = 10**12
"""A stated size beyond this is no size."""
LONGEST_LINKS = 64 * 1024
"""Characters of a Link field that are looked at."""

_PORTS = {"https": 443, "http": 80}
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_REL = re.compile(r"""[;\s]rel\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,"']+))""", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]{1,15}")
_WIRE = "".join(map(chr, range(0x21, 0x7F)))  # what may stand in a URL on the wire; the rest is encoded


def total_of(headers: Mapping[str, str], envelope: Mapping[str, object], header_name: str) -> int | None:
    """The collection's size as the server states it: in the header, else in the envelope; None if it doesn't.

    `envelope` is what stood beside the records: `total`, `totalCount`, `_meta.totalCount`, `meta.total`.
    Negative numbers and words are no size.
    """
    stated = [headers.get(header_name.lower())]
    for place in (envelope, envelope.get("_meta"), envelope.get("meta")):
        if isinstance(place, Mapping):
            stated += [place.get("totalCount"), place.get("total")]
    return next((size for value in stated if (size := _size(value)) is not None), None)


def _size(value: object) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if _WHOLE.fullmatch(text) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LARGEST_TOTAL else None


def next_link(
    headers: Mapping[str, str],
    envelope: Mapping[str, object],
    request_url: str,
    *,
    foreign: Literal["refuse", "borrow"] = "refuse",
) -> str | None:
    """The URL of the next page, by the Link header, else by the envelope; None where there is none.

    It differs from `request_url` in its query, or goes below its path. A link to the same collection without
    our path's prefix, as servers behind a proxy give it, is put right. A link to anywhere else raises
    `ProtocolError` naming the host; with `borrow`, its query is put behind our own URL instead where the
    last segment of the path agrees (servers that don't know their own public name), and else it is no link.
    """
    href = _of_header(headers.get("link", "")) or _of_envelope(envelope)
    if not href:
        return None
    asked = urlsplit(request_url)
    try:
        link = urlsplit(urljoin(request_url, quote("".join(href.split()), safe=_WIRE)))
        same = _origin(link) == _origin(asked)
    except ValueError:  # brackets that hold no address, a port that is no number
        return None
    path = _path(link.path, asked.path)
    if foreign == "borrow":
        path = path if same or path == asked.path else None
    elif not same:
        host = re.sub(r"[^\w.:-]", "?", link.hostname or "")[:100]
        raise ProtocolError(
            f"Link to another origin refused: {link.scheme[:8]}, host {host}",
            where=asked.netloc,
            advice="Ask the provider to name its own public address in links, or page by offset.",
        )
    elif path is None:
        raise ProtocolError(
            "Link to another path refused", where=asked.netloc, advice="Ask the provider how it pages."
        )
    return (
        None
        if path is None
        else f"{asked.scheme}://{asked.netloc}{path}" + f"?{link.query}" * bool(link.query)
    )


def _of_header(text: str) -> str:
    """The target with `rel=next`. RFC 8288 as it is met: stray commas, quotes or none, many rels."""
    for target, parameters in _LINK.findall(text[:LONGEST_LINKS]):
        rel = _REL.search(parameters)
        if rel and "next" in (rel[1] or rel[2] or rel[3] or "").lower().split():
            return str(target)
    return ""


def _of_envelope(envelope: Mapping[str, object]) -> str:
    """`_links.next.href`, `_links.next`, `links.next` or `next`, whichever is a string first."""
    for place in (envelope.get("_links"), envelope.get("links"), envelope):
        found = place.get("next") if isinstance(place, Mapping) else None
        if isinstance(found, Mapping):
            found = found.get("href")
        if isinstance(found, str) and found.strip():
            return found[:LONGEST_LINKS]
    return ""


def _origin(url: SplitResult) -> tuple[str, str, int | None]:
    scheme = url.scheme.lower()
    return scheme, (url.hostname or "").lower(), url.port or _PORTS.get(scheme)


def _path(path: str, ours: str) -> str | None:
    """The path to ask: ours, or one below it; None for another collection's."""
    segments = unquote(path).split("/")
    if path.startswith(ours.rstrip("/") + "/") and ".." not in segments and "." not in segments:
        return path
    mine = unquote(ours).split("/")
    last = next((name for name in reversed(segments) if name), "")
    return ours if last == next((name for name in reversed(mine) if name), "") else None
