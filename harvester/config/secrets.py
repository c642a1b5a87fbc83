"""Secrets: opaque values that never print, references to where they are kept, and the scrubbing of texts.

A reference is resolved when it is first needed. Every live value is remembered here, so that logs can be
scrubbed of it whatever it is called.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus

import orjson

from harvester.errors import ConfigError, SecretError
from harvester.model import SecretRef

FORMS: Final = "env:NAME, file:/path, cmd:program args, keyring:service/name (or literal:... in a demo)"
HIDDEN: Final = "***"
_COMMAND_TIMEOUT = 30.0
_SHORTEST = 4
"""Characters from which a value is scrubbed: shorter ones stand in ordinary text everywhere."""


class Secret:
    """A value that nobody prints by accident: every way to see it but `reveal` gives ***."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be pickled or copied")


def parse_reference(text: str) -> SecretRef:
    """`env:NAME` -> a reference. Raises `ConfigError` with the forms, never the text: it may be a secret."""
    scheme, _, rest = text.partition(":")
    if rest:
        match scheme:
            case "env" | "file" | "cmd" | "keyring" | "literal":
                return SecretRef(scheme, rest)
    raise ConfigError("not a secret reference", advice=f"Write one of {FORMS}.")


class Secrets:
    """Resolves references, and knows every secret that is alive in this process."""

    def __init__(self, *, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> None:
        """`folder`: what relative `file:` paths start from; the configuration's own."""
        self._environ = os.environ if environ is None else environ
        self._folder = folder or Path()
        self._resolved: dict[SecretRef, Secret] = {}
        self._live: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def resolve(self, ref: SecretRef) -> Secret:
        """The secret behind a reference, looked up once. Raises `SecretError` saying where it was sought."""
        if ref not in self._resolved:
            sources: dict[str, Callable[[str], str]] = {
                "env": self._of_environment,
                "file": self._of_file,
                "cmd": _of_command,
                "keyring": _of_keyring,
                "literal": str,
            }
            value = sources[ref.scheme](ref.rest)
            if not value:
                raise SecretError(f"{ref} is empty", advice="Put the secret there.")
            if any(mark in value for mark in "\r\n\0"):
                raise SecretError(f"{ref} holds more than one line", advice="A secret is one line.")
            self._resolved[ref] = Secret(value)
            self.remember(self._resolved[ref])
        return self._resolved[ref]

    def remember(self, secret: Secret) -> None:
        """Scrub this value too, e.g. an access token."""
        value = secret.reveal()
        if len(value) >= _SHORTEST and value not in self._live:
            self._live.update(_disguises(value))
            self._pattern = None

    def scrub(self, text: str) -> str:
        """`text` with every live secret, in the forms in which it travels, replaced by ***."""
        if not self._live:
            return text
        if self._pattern is None:
            # Longest first: a secret that begins like another one must not leave its tail behind.
            ordered = sorted(self._live, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)))
        return self._pattern.sub(HIDDEN, text)

    def _of_environment(self, name: str) -> str:
        try:
            return self._environ[name]
        except KeyError:
            raise SecretError(
                f"the environment has no variable {name}", advice=f"Set it: export {name}=..."
            ) from None

    def _of_file(self, name: str) -> str:
        path = self._folder / Path(name).expanduser()
        try:
            with path.open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & 0o007:
                    raise SecretError(
                        f"everybody on this machine can read {name}", advice=f"Protect it: chmod 600 {name}"
                    )
                return file.read(65536).removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise SecretError(
                f"can't read the secret in {name}: {error.strerror}",
                advice="Check the path and its permissions.",
            ) from None
        except UnicodeDecodeError:
            raise SecretError(f"the secret in {name} is not text", advice="Store it as UTF-8.") from None


def _of_command(command: str) -> str:
    """What a program prints. Its output is never quoted, not even in an error."""
    try:
        words = shlex.split(command)
    except ValueError:
        raise SecretError("cmd: has an unclosed quote", advice="Write it as in a shell.") from None
    program = words[0] if words else ""
    try:
        done = subprocess.run(  # noqa: S603 - the configuration's owner names the program; there is no shell
            words, capture_output=True, check=False, timeout=_COMMAND_TIMEOUT, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise SecretError(
                f"cmd:{program} ended with status {done.returncode}", advice="Run it by hand to see why."
            )
        return done.stdout.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise SecretError(
            f"cmd:{program} can't be run: {type(error).__name__}", advice="Check that it is installed."
        ) from None
    except subprocess.TimeoutExpired:
        raise SecretError(
            f"cmd:{program} took longer than {_COMMAND_TIMEOUT:.0f} s", advice="It must not ask anything."
        ) from None


def _of_keyring(place: str) -> str:
    service, slash, name = place.rpartition("/")
    if not slash:
        raise SecretError("keyring: needs service/name", advice="e.g. keyring:harvester/flyt")
    try:
        import keyring  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise SecretError(
            "keyring is not installed", advice="pip install 'roster-harvester[keyring]'"
        ) from None
    try:
        value = keyring.get_password(service, name)
    except Exception as error:  # noqa: BLE001 - each backend has errors of its own, which may quote the entry
        raise SecretError(
            f"the keyring failed: {type(error).__name__}", advice="Unlock it, or use env: or file:."
        ) from None
    if value is None:
        raise SecretError(f"the keyring has no {place}", advice=f"keyring set {service} {name}")
    return str(value)


def _disguises(value: str) -> set[str]:
    """The forms in which a secret travels: plain, percent-encoded, base64, JSON-escaped."""
    encoded = base64.b64encode(value.encode()).decode()
    forms = {
        value,
        quote(value, safe=""),
        quote_plus(value),
        encoded,
        encoded.rstrip("="),
        base64.urlsafe_b64encode(value.encode()).decode(),
        orjson.dumps(value).decode()[1:-1],
        value.encode("unicode_escape").decode(),
    }
    return {form for form in forms if len(form) >= _SHORTEST}
