"""What a provider declares. A provider is a value of these types: code only for what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harvester.model import Limits

Shape = Literal["pages", "object", "pifu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One collection of a provider."""

    name: str
    path: str
    """Below the tenant's base URL; `{parent}` stands for the parent's id, percent-encoded."""
    key: tuple[str, ...] = ("sourcedId",)
    """Names of the member that identifies a record, in order of preference."""
    service: str = ""
    """Replaces the provider's service path: OneRoster 1.2 has three of them."""
    default: bool = True
    shape: Shape = "pages"
    parent: str | None = None
    """Name of the resource whose records this one is fetched for."""
    parent_key: str = ""
    """Member that names the parent's id in each record; spliced in where the provider does not send it."""
    parent_when: tuple[str, tuple[str, ...]] | None = None
    """Only for parents whose member has one of these values, e.g. ("statusCode", ("stopped",))."""
    references: tuple[tuple[str, str], ...] = ()
    """(member, resource) whose records its records name, as OneRoster does: `{"sourcedId": ...}`."""
    guarded: bool = True
    """False where records come and go by nature, so that a shorter list is no alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a provider spells a window."""

    limit: str = "limit"
    offset: str = "offset"
    page_size: int = 100
    largest: int | None = None
    """The most that the provider serves; None: not known, a refusal steps down."""
    total_header: str = "X-Total-Count"
    sort: Mapping[str, str] = field(default_factory=dict)
    """Parameters that ask for the order by id; dropped for the pull when the server refuses them."""
    order: str = ""
    """The same in words, for the certificate: `sourcedId asc`."""
    date_filter: bool = False
    """Whether the dialect has a filter `dateLastModified>=`: what changed since a time can be asked for."""
    spellings: tuple[tuple[str, str], ...] = ()
    """Other (limit, offset) spellings to try when the server is seen to ignore the offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """OAuth 2.0 client credentials (RFC 6749, section 4.4)."""

    method: Literal["client_secret_post", "client_secret_basic"] = "client_secret_basic"
    tenant_in: Literal["body", "header", "none"] = "none"
    tenant_param: str = "tenant_ID"
    tenant_key: str = "tenant_id"
    """The tenant's key that is sent; a tenant without one sends none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticBearer:
    """A bearer token from a developer console: it never expires and is never put on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth1:
    """OAuth 1.0a, two-legged (RFC 5849): a signature in each request's Authorization header."""

    signature: Literal["HMAC-SHA256", "HMAC-SHA1"] = "HMAC-SHA256"


Auth = ClientCredentials | StaticBearer | OAuth1


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where one environment of a provider lives. None: not published, so the configuration must say."""

    base_url: str | None = None
    token_url: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A kind of API: its base URLs, resources, paging dialect, authentication and limits."""

    name: str
    title: str
    resources: tuple[Resource, ...]
    auth: Auth
    paging: Paging = Paging()
    environments: Mapping[str, Environment] = field(default_factory=lambda: {"production": Environment()})
    service_path: str = ""
    """Appended to a base URL that names only a host; may hold `{app_id}`."""
    tenant_keys: tuple[str, ...] = ()
    """Keys (not secrets) that a tenant must have."""
    optional_keys: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request; `{key}` stands for the tenant's key."""
    limits: Limits = field(default_factory=Limits)
    shared_host: bool = True
    """False: behind one host stand as many servers as tenants, so limits are per tenant as well."""

    def resource(self, name: str) -> Resource | None:
        """The resource of that name."""
        return next((r for r in self.resources if r.name == name), None)

    def dates(self, name: str) -> bool:
        """Whether a resource can be asked for what changed since a time."""
        resource = self.resource(name)
        flat = resource is not None and resource.shape == "pages" and resource.parent is None
        return flat and self.paging.date_filter

    @property
    def defaults(self) -> tuple[str, ...]:
        """Names of the resources that are pulled unless a tenant says otherwise."""
        return tuple(r.name for r in self.resources if r.default)
