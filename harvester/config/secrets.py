"""Secrets: opaque values that never print, references to where they are kept, and the scrubbing of texts.

A reference is resolved when it is first needed. Every live value is remembered here, so that whatever is
written can be scrubbed of it, whatever name it goes by. No error holds a value, nor a command's output.
"""

from __future__ import annotations

import hmac
import os
import re
import shlex
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final, Literal, NoReturn, Self

from harvester.config.commands import run
from harvester.config.disguises import Scrubber
from harvester.errors import ConfigError, SecretError
from harvester.model import SecretRef

FORMS: Final = "env:NAME, file:/path, cmd:program args, keyring:service/name (or literal:... in a demo)"
HIDDEN: Final = "***"
_LARGEST = 64 * 1024
"""Bytes of a secret's file: anything larger is the wrong file."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ORCHESTRATED = (Path("/run/secrets"),)
"""Where container engines mount secrets, with a mode of their own choice: there the container is the wall."""


class Secret:
    """A value that nobody prints by accident: every way to see it but `reveal` gives *** or refuses."""

    __slots__ = ("_value",)
    __hash__: ClassVar[None]  # type: ignore[assignment]  # a hash would tell which secrets are alike

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self._value), _octets(other._value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # so that `dataclasses.asdict` of a holder works, and still prints ***

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not to be pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not to be pickled")


def parse_reference(text: str) -> SecretRef:
    """`env:NAME` -> a reference. Raises `ConfigError` with the forms, never the text: it may be a secret."""
    scheme, _, rest = text.partition(":")
    match scheme:
        case "env" | "file" | "cmd" | "keyring" | "literal" if rest:
            flaw = _flaw(scheme, rest)
            if flaw:
                raise ConfigError(flaw, advice=f"Write one of {FORMS}.")
            return SecretRef(scheme, rest)
        case "env" | "file" | "cmd" | "keyring" | "literal":
            raise ConfigError(f"nothing follows {scheme}:", advice=f"Write one of {FORMS}.")
    if text.startswith("$"):
        raise ConfigError("variables are written env:NAME, without $", advice=f"Write one of {FORMS}.")
    raise ConfigError("not a secret reference", advice=f"Write one of {FORMS}.")


def _flaw(scheme: Literal["env", "file", "cmd", "keyring", "literal"], rest: str) -> str:
    """What is wrong with what follows the scheme; empty when nothing is."""
    if scheme == "env" and not _NAME.fullmatch(rest):
        return "env: needs the name of a variable: letters, digits and _"
    if scheme == "keyring" and not all(rest.rpartition("/")):
        return "keyring: needs service/name"
    if scheme == "cmd":
        try:
            return "" if shlex.split(rest) else "nothing follows cmd:"
        except ValueError:
            return "cmd: has an unclosed quote"
    return "a reference holds no NUL" if "\0" in rest else ""


class Secrets:
    """Resolves references, and knows every secret that is alive in this process.

    A reference is looked up once, also when that fails: a thousand tenants of one application do not start
    a failing program a thousand times. Threads may share it.
    """

    def __init__(self, *, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> None:
        """`folder`: what relative `file:` paths start from, and where a `cmd:` runs; the configuration's."""
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._folder = folder or Path()
        self._found: dict[SecretRef, Secret | SecretError] = {}
        self._looking: dict[SecretRef, threading.Lock] = {}
        self._entering = threading.Lock()
        self._scrubber = Scrubber()

    def resolve(self, ref: SecretRef) -> Secret:
        """The secret behind a reference. Raises `SecretError` saying where it was sought and what to do.

        Blocks: a file is read, or a program runs for up to 30 s. For start-up, not for the hot path.
        """
        with self._entering:
            looking = self._looking.setdefault(ref, threading.Lock())
        with looking:  # of this reference alone: other programs run meanwhile
            if ref not in self._found:
                try:
                    self._found[ref] = Secret(self._sought(ref))
                except SecretError as error:
                    self._found[ref] = error
            found = self._found[ref]
        if isinstance(found, SecretError):
            raise SecretError(found.what, where=found.where, advice=found.advice)
        self.remember(found)
        return found

    def remember(self, secret: Secret) -> None:
        """Scrub this value too, e.g. an access token."""
        self._scrubber.add(secret.reveal())

    def scrub(self, text: str) -> str:
        """`text` with every live secret, in the forms in which it travels, replaced by ***."""
        return self._scrubber.scrub(text, HIDDEN)

    def _sought(self, ref: SecretRef) -> str:
        sources: dict[str, Callable[[str], str]] = {
            "env": self._of_environment,
            "file": self._of_file,
            "cmd": self._of_command,
            "keyring": _of_keyring,
            "literal": str,
        }
        value = sources[ref.scheme](ref.rest)
        if not value:
            raise SecretError(f"{_place(ref)} is empty", advice="Put the secret there.")
        if any(mark in value for mark in "\r\n\0"):
            raise SecretError(f"{_place(ref)} holds more than one line", advice="A secret is one line.")
        try:
            value.encode()
        except UnicodeEncodeError:  # octets of the environment that are no UTF-8
            raise SecretError(f"{_place(ref)} is not text", advice="Store the secret as UTF-8.") from None
        return value

    def _of_environment(self, name: str) -> str:
        try:
            return self._environ[name]
        except KeyError:
            raise SecretError(
                f"the environment has no variable {name}", advice=f"Set it: export {name}=..."
            ) from None

    def _of_file(self, name: str) -> str:
        """A file's text less one newline. Links are followed: orchestrators swap secrets by them."""
        try:
            path = self._folder / Path(name).expanduser()
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(fd, "rb") as file:
                _guard(os.fstat(fd), path, name)
                data = file.read(_LARGEST + 1)
        except (OSError, RuntimeError) as error:  # RuntimeError: ~ of nobody
            why = error.strerror if isinstance(error, OSError) else "no such home"
            raise SecretError(
                f"can't read the secret in {name}: {why}", advice="Check the path and its permissions."
            ) from None
        if len(data) > _LARGEST:
            raise SecretError(f"{name} is too large for a secret", advice="Name the file that holds only it.")
        return _text(data, name)

    def _of_command(self, command: str) -> str:
        return _text(run(shlex.split(command), self._folder, self._environ), "what the program printed")


def _guard(status: os.stat_result, path: Path, name: str) -> None:
    """Refuse what everybody may read. A group may: that is how a container's user is given a secret."""
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"{name} is no ordinary file", advice="Name a file that holds the secret.")
    if os.name != "posix" or not status.st_mode & 0o007:
        return
    if not any(path.resolve().is_relative_to(folder) for folder in _ORCHESTRATED):
        raise SecretError(
            f"everybody on this machine can read {name}",
            advice=f"Protect it: chmod o= {name} (in Kubernetes: defaultMode: 0440).",
        )


def _of_keyring(place: str) -> str:
    service, _, name = place.rpartition("/")
    try:
        import keyring  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise SecretError(
            "keyring is not installed", advice="Install the extra: pip install 'roster-harvester[keyring]'."
        ) from None
    try:
        value = keyring.get_password(service, name)
    except Exception as error:  # noqa: BLE001 - each backend has errors of its own, which may quote the entry
        raise SecretError(
            f"the keyring failed: {type(error).__name__}", advice="Unlock it, or use env: or file:."
        ) from None
    if value is None:
        raise SecretError(f"the keyring has no {place}", advice=f"Set it: keyring set {service} {name}")
    return str(value)


def _text(data: bytes, name: str) -> str:
    """UTF-8 less one newline at its end, and less the mark that some editors put at its beginning."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SecretError(f"{name} is not text", advice="Store the secret as UTF-8.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _place(ref: SecretRef) -> str:
    """A reference as messages name it: of a command only the program, as its arguments may tell too much."""
    return f"cmd:{shlex.split(ref.rest)[0]}" if ref.scheme == "cmd" else str(ref)


def _octets(value: str) -> bytes:
    return value.encode(errors="surrogatepass")
