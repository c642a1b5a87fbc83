"""Where a request may go, and by which road: schemes, loopback, proxies, trust."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.request import getproxies_environment, proxy_bypass

from yarl import URL

from harvester.config.urls import is_loopback
from harvester.errors import ConfigError


def permitted(text: str) -> URL:
    """The URL as it goes on the wire, if it may: https, or http to this machine."""
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ConfigError("a URL holds characters that must be percent-encoded")
    _look_at(text.partition("?")[0])  # where it goes stands before the query, and pages differ in theirs only
    try:
        return URL(text, encoded=True)
    except ValueError:
        raise ConfigError("a URL that can't be read") from None


@lru_cache(maxsize=1024)
def _look_at(place: str) -> None:
    """Raises `ConfigError` for a place where no request may go."""
    try:
        url = URL(place, encoded=True)
        host = url.host or ""
    except ValueError:
        raise ConfigError("a URL that can't be read") from None
    if url.user is not None or url.password is not None:
        raise ConfigError("a URL holds a user name or password", where=host, advice="Use `client_secret`.")
    if not host or url.scheme not in ("https", "http"):
        raise ConfigError("a URL must begin with https:// and name a host", where=host)
    if url.scheme == "http" and not is_loopback(host):
        raise ConfigError(
            "http:// would send credentials in the clear",
            where=host,
            advice="Use https://, http is for loopback.",
        )


@lru_cache(maxsize=8)  # reading the system's authorities takes 20 ms
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    # Not create_default_context: it obeys SSLKEYLOGFILE, which puts every session's keys into a file.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            "no certificates can be read from this file", where=str(ca_file), advice="Give a PEM bundle."
        ) from None
    return context


class Proxies:
    """HTTPS_PROXY, HTTP_PROXY and NO_PROXY as they stood at the start; netrc is never read."""

    def __init__(self, *, obeyed: bool) -> None:
        self._by_scheme: Mapping[str, str] = getproxies_environment() if obeyed else {}

    def way_to(self, url: URL) -> str | None:
        """The proxy's URL, or None to go straight."""
        proxy = self._by_scheme.get(url.scheme)
        if proxy is None or url.host is None or is_loopback(url.host):
            return None
        return None if proxy_bypass(url.host) else proxy
