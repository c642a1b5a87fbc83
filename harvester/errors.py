"""One small tree of errors. Each says what happened, where, and what to do next, and knows its exit code.

None of them ever holds a header, a body, a secret or a person's name. Where an error of a library is
translated, it is raised `from None`, so that the library's own (which may hold all of these) is not printed.
"""

from __future__ import annotations


class HarvesterError(Exception):
    """Anything that we can explain. `str()` is one line for people."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.advice = advice

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.advice}" if self.advice else head

    @property
    def kind(self) -> str:
        """The error's name in JSON and reports."""
        return type(self).__name__


class UsageError(HarvesterError):
    """The command line asks for something that can't be."""

    exit_code = 2


class ConfigError(HarvesterError):
    """The configuration is wrong; `where` names the file and the key."""

    exit_code = 2


class SecretError(HarvesterError):
    """A secret reference can't be resolved."""

    exit_code = 2


class ProviderError(HarvesterError):
    """The provider's answer ends this pull."""

    exit_code = 3
    passing = False
    """Whether the cause may pass by itself, so that trying later makes sense."""


class UnreachableError(ProviderError):
    """No usable answer after all retries: refused, timed out, 5xx, truncated."""

    passing = True

    def __init__(self, what: str, *, status: int = 0, where: str = "", advice: str = "") -> None:
        super().__init__(what, where=where, advice=advice)
        self.status = status
        """The last HTTP status; 0 when there was none."""


class ThrottledError(ProviderError):
    """Still 429 after all retries, or told to wait longer than the run may."""

    passing = True


class RefusedError(ProviderError):
    """A definite no: 400, 403, 404, 410, 422, or a redirect."""

    def __init__(self, what: str, *, status: int, where: str = "", advice: str = "") -> None:
        super().__init__(what, where=where, advice=advice)
        self.status = status


class ProtocolError(ProviderError):
    """An answer that can't be what was asked for: not JSON, no array, two arrays, a DOCTYPE."""


class CeilingError(ProviderError):
    """An answer beyond one of our limits: too large, too slow, too many pages."""


class PagingError(ProviderError):
    """The server does not page: it ignores the offset, or repeats itself."""


class AuthError(ProviderError):
    """Credentials refused, by the token endpoint or by the API itself."""

    exit_code = 6


class FilterIgnoredError(ProviderError):
    """Asked for what changed since a time, the server refuses, or sends what is older."""


class SinkError(HarvesterError):
    """The sink or the disk failed: nothing more can be written."""

    exit_code = 7


class QuotaError(HarvesterError):
    """A daily or monthly quota, or the deadline, was reached. The run can be resumed."""

    exit_code = 8


class LockedError(HarvesterError):
    """Another run holds the state folder."""

    exit_code = 11
