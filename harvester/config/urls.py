"""Which addresses a configuration may hold: https, http to this machine, and nothing but host and path."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::[0-9]+)?")
_LOCAL_NAMES = frozenset({"localhost", "localhost."})


def flaw_of_url(url: str) -> tuple[str, str] | None:
    """What is wrong with an API's address, and what to write instead; None if nothing is."""
    if not (url.isascii() and url.isprintable()) or any(mark in url for mark in ' \\"<>'):
        return "an address with characters that must be percent-encoded", "Write https://host/path."
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "not an address", "Write https://host/path."
    if parts.scheme not in ("http", "https") or not _AUTHORITY.fullmatch(parts.netloc.rpartition("@")[2]):
        return "not an address", "Write https://host/path."
    if parts.scheme == "http" and not is_loopback(host):
        return f"http:// to {host} would send credentials in clear", "Use https; http is for loopback."
    if "@" in parts.netloc or "?" in url or "#" in url:
        return "an address with more than host and path", "Leave user, query and fragment out."
    return None


def is_loopback(host: str) -> bool:
    """Whether it is this machine by name or number; `localhost.example.org` is not."""
    if host.lower() in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
