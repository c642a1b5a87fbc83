"""The configuration file as TOML has it: one struct a table. docs/configuration.md explains every key."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Positive = Annotated[int, Meta(gt=0, le=10**12)]
# All of these become names of files and folders. \Z, as $ would let a line break pass.
RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
TENANT_ID = r"^[a-z0-9][a-z0-9._-]{0,127}\Z"
RESOURCE = r"^[A-Za-z][A-Za-z0-9_-]{0,63}\Z"
PROVIDER = r"^[a-z][a-z0-9-]{0,63}\Z"


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: every key known, nothing changed after reading."""


class RunTable(Table, frozen=True):
    name: Annotated[str, Meta(pattern=RUN_NAME)] = "harvest"
    max_duration: str | None = None
    full_every: str = "7d"


class SinkTable(Table, frozen=True):
    url: str
    compression: Literal["gzip", "zstd", "none"] = "gzip"
    part_size: str | int = "256MiB"
    require: Literal["certified", "repaired", "probable", "uncertified"] = "probable"


class StateTable(Table, frozen=True):
    path: str = "./state"
    token_cache: bool = True


Share = Annotated[float, Meta(ge=0, le=1)]


class GuardTable(Table, frozen=True):
    enabled: bool | None = None
    vanished_share: Share | None = None
    vanished_count: Annotated[int, Meta(ge=0)] | None = None
    school_share: Share | None = None
    school_size: Positive | None = None
    ids_share: Share | None = None
    deleted_share: Share | None = None
    quarantined_share: Share | None = None
    looked_up: Annotated[int, Meta(ge=0, le=1000)] | None = None


class GuardsTable(GuardTable, frozen=True):
    resources: dict[str, GuardTable] = {}


class LimitsTable(Table, frozen=True):
    rate: str | None = None
    concurrency: Positive | None = None
    daily_requests: Positive | None = None
    monthly_requests: Positive | None = None
    page_size: Positive | None = None


class ApplicationTable(Table, frozen=True):
    provider: str
    environment: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    access_token: str | None = None
    base_url: str | None = None
    token_url: str | None = None
    scope: str | None = None
    token_auth: Literal["client_secret_post", "client_secret_basic"] | None = None
    tenant_in: Literal["body", "header", "none"] | None = None
    signature: Literal["HMAC-SHA256", "HMAC-SHA1"] | None = None
    sort: bool | None = None
    keyset: bool | None = None
    filter: str | None = None
    fields: list[str] = []
    trust_env: bool = False
    ca_file: str | None = None
    limits: LimitsTable = LimitsTable()


class TenantTable(Table, frozen=True):
    id: Annotated[str, Meta(pattern=TENANT_ID)]
    application: str
    resources: list[str] = []
    tenant_id: str | None = None
    app_id: str | None = None
    access_token: str | None = None
    base_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    customer_id: str | None = None
    user_id: str | None = None


class TenantsFromTable(Table, frozen=True):
    path: str


class PagingTable(Table, frozen=True):
    limit: str = "limit"
    offset: str = "offset"
    page_size: Positive = 100
    largest: Positive | None = None
    total_header: str = "X-Total-Count"
    sort: dict[str, str] = {}
    date_filter: bool = False


class ResourceTable(Table, frozen=True):
    name: Annotated[str, Meta(pattern=RESOURCE)]
    path: str
    key: str | list[str] = "sourcedId"
    default: bool = True
    shape: Literal["pages", "object", "pifu"] = "pages"
    parent: str | None = None
    parent_key: str | None = None


class ProviderTable(Table, frozen=True):
    resources: list[ResourceTable]
    auth: Literal["client_credentials", "static_bearer", "oauth1"] = "client_credentials"
    base_url: str | None = None
    token_url: str | None = None
    scope: str | None = None
    token_auth: Literal["client_secret_post", "client_secret_basic"] = "client_secret_basic"  # noqa: S105
    tenant_in: Literal["body", "header", "none"] = "none"
    service_path: str = ""
    tenant_keys: list[Literal["tenant_id", "app_id", "customer_id", "user_id"]] = []
    headers: dict[str, str] = {}
    shared_host: bool = True
    paging: PagingTable = PagingTable()


class File(Table, frozen=True):
    """The whole file."""

    sink: SinkTable
    applications: dict[str, ApplicationTable]
    run: RunTable = RunTable()
    state: StateTable = StateTable()
    guards: GuardsTable = GuardsTable()
    tenants: list[TenantTable] = []
    tenants_from: TenantsFromTable | None = None
    providers: dict[str, ProviderTable] = {}


NESTED: dict[type[Table], dict[str, type[Table]]] = {
    File: {
        "run": RunTable,
        "sink": SinkTable,
        "state": StateTable,
        "guards": GuardsTable,
        "applications": ApplicationTable,
        "tenants": TenantTable,
        "tenants_from": TenantsFromTable,
        "providers": ProviderTable,
    },
    GuardsTable: {"resources": GuardTable},
    ApplicationTable: {"limits": LimitsTable},
    ProviderTable: {"paging": PagingTable, "resources": ResourceTable},
}
"""Which keys hold tables, so that an unknown key is found with its whole path."""


def keys_of(table: type[Table]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(table))
