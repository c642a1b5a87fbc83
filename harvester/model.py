"""The nouns: what a harvest is made of. Frozen values, no behaviour beyond themselves.

Vocabulary as in docs/architecture.md: provider, application, tenant, resource, page, pull, run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Verdict = Literal["certified", "repaired", "probable", "uncertified"]
Strategy = Literal["offset", "keyset", "links", "document"]
Mode = Literal["full", "incremental", "backfill"]

VERDICTS: tuple[Verdict, ...] = ("certified", "repaired", "probable", "uncertified")
"""Strongest first; `require` names the weakest that is published."""
PROVED: tuple[Verdict, ...] = ("certified", "repaired")
"""Those that increments may be built upon."""


def weaker_than(verdict: Verdict, required: Verdict) -> bool:
    """Whether `verdict` claims less than `required` asks for."""
    return VERDICTS.index(verdict) > VERDICTS.index(required)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept, not the secret: `env:NAME`, `file:/path`, `cmd:program args`, `keyring:s/n`."""

    scheme: Literal["env", "file", "cmd", "keyring", "literal"]
    rest: str = field(repr=False)

    def __str__(self) -> str:
        """The reference as written, but never a literal's value."""
        return "literal:***" if self.scheme == "literal" else f"{self.scheme}:{self.rest}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an application may ask of its provider. None: not declared."""

    rate: float | None = None
    """requests a second"""
    concurrency: int | None = None
    """requests on the wire at once"""
    daily_requests: int | None = None
    monthly_requests: int | None = None
    page_size: int | None = None
    """records asked for in one page"""


@dataclass(frozen=True, slots=True)
class Application:
    """Our credentials with a provider, and the limits granted to them; shared by tenants."""

    name: str
    provider: str
    environment: str = "production"
    base_url: str | None = None
    token_url: str | None = None
    scope: str | None = None
    credentials: Mapping[str, SecretRef] = field(default_factory=dict)
    """`client_id`, `client_secret`, `access_token`: those that the application itself holds."""
    token_auth: Literal["client_secret_post", "client_secret_basic"] | None = None
    tenant_in: Literal["body", "header", "none"] | None = None
    """Where a token request carries `tenant_ID`; None: as the provider declares."""
    signature: Literal["HMAC-SHA256", "HMAC-SHA1"] | None = None
    sort: bool | None = None
    """Whether pages are asked for in order of their id; None: as the provider declares."""
    keyset: bool | None = None
    """Whether large collections are read by id; None: where a probe proves that it works."""
    filter: str | None = None
    fields: tuple[str, ...] = ()
    ca_file: str | None = None
    """Certificate authorities to trust instead of the system's."""
    trust_env: bool = False
    """Whether HTTPS_PROXY and its kin are obeyed."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer (municipality, district, school) reached through an application."""

    id: str
    application: str
    resources: tuple[str, ...] = ()
    """Empty: all that the provider marks as default."""
    base_url: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    """The provider's own names for it: `tenant_id`, `app_id`, `customer_id`, `user_id`."""
    credentials: Mapping[str, SecretRef] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pull:
    """One tenant x one resource in one run: the unit of progress, failure, commit and retry."""

    provider: str
    application: str
    tenant: str
    resource: str
    mode: Mode = "full"
    since: str | None = None
    """Only records whose `dateLastModified` is at or after this (ISO 8601)."""
    until: str | None = None
    """Only records whose `dateLastModified` is before this."""

    @property
    def key(self) -> str:
        """`tenant/resource`, as messages and reports name it."""
        return f"{self.tenant}/{self.resource}"


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation over many pulls."""

    id: str
    """`20261120T020000Z-7f3a9c` (UTC start, random tail) unless given from outside"""
    started: float
    """seconds since the epoch; a resumed run keeps its first start"""

    @property
    def day(self) -> str:
        """The partition `dt`: the UTC date on which the run started."""
        return datetime.fromtimestamp(self.started, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Window:
    """`limit` rows from `offset`: what one request asks for."""

    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to one window. Records stay the bytes that the provider sent.

    `ids`, `versions` and `records` run in parallel, one entry a row, in the server's order. A row that
    can't be identified (see `flaws`) keeps its place, with an id that no other row has.
    """

    window: Window
    ids: Sequence[str]
    versions: Sequence[bytes]
    """`dateLastModified` as sent, or b"" where the record has none."""
    records: Sequence[bytes]
    total: int | None = None
    """The collection's size as the server states it, if it does."""
    next_link: str | None = None
    flaws: Mapping[int, str] = field(default_factory=dict)
    """Row number -> why it goes to quarantine."""
    tombstones: frozenset[int] = frozenset()
    """Numbers of the rows that say of themselves that they are deleted."""

    @property
    def end(self) -> int:
        """The offset just after the last row."""
        return self.window.offset + len(self.ids)


@dataclass(frozen=True, slots=True)
class Part:
    """One published output file, as its manifest swears to it."""

    name: str
    records: int
    bytes: int
    """size as it lies, compressed"""
    sha256: str
    """of the file as it lies"""
    raw_bytes: int
    """size uncompressed"""


@dataclass(frozen=True, slots=True)
class Delta:
    """What was asked for again because it was modified during a pull."""

    since: str
    """by the server's clock, less a margin"""
    rows: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a pull may claim of its completeness, and why."""

    verdict: Verdict
    scope: str
    """`all`: every row that existed throughout; `unmodified`: every such row that was not changed;
    `unmodified+delta`: these, and the changed ones by a pull of what changed; `none`."""
    why: str
    order_asked: str | None
    order_seen: str | None
    pairs: int = 0
    """Neighbouring rows seen in that order: the evidence."""
    joins_exact: int = 0
    joins_drift: int = 0
    joins_missing: int = 0
    repaired_gaps: int = 0
    """Places where neighbouring pages met only by way of others, which were asked for to close the gap."""
    rounds: int = 0
    """of requests, at most, for one such gap"""
    overlap: int = 0
    """Rows that neighbouring windows shared; the most, where it was raised on the way."""
    total_first: int | None = None
    total_last: int | None = None
    unique: int = 0
    duplicates: int = 0
    """Rows that came more than once, the overlap included."""
    pages: int = 0
    poisoned: tuple[int, ...] = ()
    """Offsets that the server could not serve."""
    notes: tuple[str, ...] = ()
    """Oddities met and dealt with: a silent cap, shorter pages, a refused sort."""
    assumptions: tuple[str, ...] = ()
    delta: Delta | None = None
    longest: int = 0
    """Rows of the longest page."""
    newest: str = ""
    """The latest `dateLastModified` seen."""
    day_stamps: bool = False
    """Some of these name the day alone."""
    strategy: Strategy = "offset"
    """How the collection was read."""
