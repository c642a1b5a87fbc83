"""Providers that a configuration declares for itself: no code, the same value as a built-in one."""

from __future__ import annotations

from harvester.config.schema import ProviderTable, ResourceTable
from harvester.providers.dialect import (
    Auth,
    ClientCredentials,
    Environment,
    OAuth1,
    Paging,
    Provider,
    Resource,
    StaticBearer,
)


def provider_of(name: str, table: ProviderTable) -> Provider:
    """`[providers.NAME]` as a provider with the one environment `production`."""
    paging = table.paging
    here = Environment(base_url=table.base_url, token_url=table.token_url, scope=table.scope)
    return Provider(
        name=name,
        title=name,
        resources=tuple(map(_resource, table.resources)),
        auth=_auth(table),
        paging=Paging(
            limit=paging.limit,
            offset=paging.offset,
            page_size=paging.page_size,
            largest=paging.largest,
            total_header=paging.total_header,
            sort=paging.sort,
            order=" ".join(paging.sort.values()),
        ),
        environments={"production": here},
        service_path=table.service_path,
        tenant_keys=tuple(table.tenant_keys),
        headers=table.headers,
        shared_host=table.shared_host,
    )


def _auth(table: ProviderTable) -> Auth:
    match table.auth:
        case "static_bearer":
            return StaticBearer()
        case "oauth1":
            return OAuth1()
        case "client_credentials":
            return ClientCredentials(method=table.token_auth, tenant_in=table.tenant_in)


def _resource(table: ResourceTable) -> Resource:
    return Resource(
        name=table.name,
        path=table.path,
        key=(table.key,) if isinstance(table.key, str) else tuple(table.key),
        default=table.default,
        shape=table.shape,
        parent=table.parent,
        parent_key=table.parent_key or (f"{table.parent}_id" if table.parent else ""),
    )
