"""Tokens on disk between runs: one file in the state folder, 0600, that names nobody, written at a run's end.

A convenience, never a source of errors: what can't be read is ignored, what can't be written is left.
Static tokens never come here: they do not expire.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from harvester.auth.answers import LONGEST_LIFE, Fresh
from harvester.config.secrets import Secret
from harvester.sinks.durable import put

LEFT = 120.0
"""Seconds that a kept token must still live to be worth using."""


class TokenStore:
    """Tokens by their grant's digest, with the wall-clock time at which they end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tokens.json"
        self._entries = self._load()

    def find(self, key: str, wall: float) -> Fresh | None:
        """A token with some life left."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        left = float(entry["until"]) - wall
        # A clock that was set back must not make an old token young.
        return Fresh(Secret(entry["token"]), left) if LEFT < left <= LONGEST_LIFE else None

    def keep(self, key: str, fresh: Fresh, wall: float) -> None:
        self._entries[key] = {"token": fresh.secret.reveal(), "until": wall + fresh.life}

    def forget(self, key: str) -> None:
        self._entries.pop(key, None)

    def _load(self) -> dict[str, dict[str, Any]]:
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    return {}  # others could read it, so perhaps others have written it
                entries = orjson.loads(file.read())
            return {
                key: {"token": str(entry["token"]), "until": float(entry["until"])}
                for key, entry in entries.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def save(self, wall: float) -> None:
        """Write down what is still alive at `wall`."""
        live = {key: entry for key, entry in self._entries.items() if float(entry["until"]) > wall}
        try:
            put(self._path, orjson.dumps(live), aside=self._path.parent / "aside")
        except OSError:
            return
