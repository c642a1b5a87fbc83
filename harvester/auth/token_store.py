"""Tokens on disk between runs: one file in the state folder, 0600, that names nobody.

A convenience, never a source of errors: what can't be read is ignored and written anew. It is read when the
first token is asked for and written once, when the run ends, so that a run that was killed keeps none.
Static tokens never come here: they do not expire.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from harvester.auth.answers import LONGEST_LIFE, LONGEST_TOKEN
from harvester.config.secrets import Secret
from harvester.events import Notice, Observer, silent
from harvester.sinks.durable import put

LEFT = 120.0
"""Seconds that a kept token must still live to be worth using."""
SKEW = 300.0
"""Seconds by which a kept token may come from the future: more means that the clock was set back."""
_LARGEST_FILE = 64 * 1024 * 1024
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """A token as it lies on disk. Seconds since the epoch, as a run must not trust another one's `now`."""

    secret: Secret
    since: float
    until: float

    def good(self, wall: float) -> bool:
        """Whether it can be used now. A clock that was set back must not make an old token young."""
        return self.since <= wall + SKEW and LEFT < self.until - wall <= LONGEST_LIFE


class TokenStore:
    """The file, by the keys of grants."""

    def __init__(self, folder: Path, observe: Observer = silent) -> None:
        self._folder = folder
        self._path = folder / "tokens.json"
        self._observe = observe

    def load(self, wall: float) -> dict[str, Kept]:
        """The tokens with some life left. A file that others could have read or written is not believed."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:
                status = os.fstat(fd)
                ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
                if not ours or status.st_mode & 0o077:
                    return {}
                data = file.read(_LARGEST_FILE + 1)
        except OSError:
            return {}
        return {key: kept for key, kept in _read(data).items() if kept.good(wall)}

    def save(self, tokens: Mapping[str, Kept], wall: float) -> None:
        """Replace the file, in one step and durably. Failing to is only told."""
        entries = {
            key: [kept.secret.reveal(), kept.since, kept.until]
            for key, kept in tokens.items()
            if kept.good(wall)
        }
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._folder.stat().st_mode & 0o077:
                self._folder.chmod(0o700)
            for draft in self._folder.glob(f"{self._path.name}.*"):  # of a run that was killed while it wrote
                draft.unlink(missing_ok=True)
            put(self._path, orjson.dumps({"version": _VERSION, "tokens": entries}), aside=self._folder)
        except OSError as error:
            self._observe(
                Notice(f"the token cache was not kept: {error.strerror}", where="state.token_cache")
            )


def _read(data: bytes) -> dict[str, Kept]:
    """Whatever of a file makes sense."""
    try:
        found: Any = orjson.loads(data) if len(data) <= _LARGEST_FILE else None
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(found, dict) or found.get("version") != _VERSION:
        return {}
    entries = found.get("tokens")
    if not isinstance(entries, dict):
        return {}
    return {key: kept for key, entry in entries.items() if (kept := _kept(entry)) is not None}


def _kept(entry: object) -> Kept | None:
    match entry:
        case [str(token), float() | int() as since, float() | int() as until] if (
            0 < len(token) <= LONGEST_TOKEN and token.isascii() and token.isprintable()
        ):
            return Kept(Secret(token), float(since), float(until))
    return None
