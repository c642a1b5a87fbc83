"""Providers that a configuration declares for itself: no code, the same value as a built-in one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import Formatter

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

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"authorization", "cookie", "host", "content-length", "transfer-encoding", "connection"})
"""Headers that a configuration does not set: secrets in the clear, or the wire's own."""
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*")
_EXPORTED = ("persons", "groups", "memberships")
"""What a PIFU document is read into."""

Flaw = tuple[tuple[str | int, ...], str]
"""Path of the key within `[providers.NAME]`, and what is wrong with it."""


def flaws_of(table: ProviderTable) -> Iterator[Flaw]:
    """What types can't tell of a declaration; met now, it is not met at night, by every tenant."""
    if table.service_path:
        if not _PATH.fullmatch(table.service_path):
            yield ("service_path",), "not a path: it begins with / and has no query"
        yield from ((("service_path",), what) for what in _holes(table.service_path, table.tenant_keys))
    for name, value in table.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            yield ("headers", name), f"{name!r} can't be set as a header"
        if not (value.isascii() and value.isprintable()):
            yield ("headers", name), "a header's value holds printable ASCII only"
        yield from ((("headers", name), what) for what in _holes(value, table.tenant_keys))
    if table.paging.limit == table.paging.offset:
        yield ("paging", "offset"), "limit and offset have the same name"
    if not table.resources:
        yield ("resources",), "a provider without resources"
    seen: dict[str, ResourceTable] = {}
    for number, resource in enumerate(table.resources):
        path = ("resources", number)
        if resource.name in seen:
            yield (*path, "name"), f'the resource "{resource.name}" is there twice'
        seen[resource.name] = resource
    for number, resource in enumerate(table.resources):
        yield from ((("resources", number, key), what) for key, what in _of_resource(resource, seen))


def _of_resource(resource: ResourceTable, known: dict[str, ResourceTable]) -> Iterator[tuple[str, str]]:
    path = resource.path.replace("{parent}", "")
    if not _PATH.fullmatch(path or "/") or "{" in path or "}" in path:
        yield "path", "not a path: it begins with /, and has no query and no hole but {parent}"
    if not resource.key or (isinstance(resource.key, list) and "" in resource.key):
        yield "key", "needs the name of a member that identifies a record"
    if resource.shape == "pifu" and (resource.parent or resource.name not in _EXPORTED):
        yield "name", f"an export is read into {', '.join(_EXPORTED)}, for no parent"
    if resource.parent is None:
        if "{parent}" in resource.path:
            yield "path", "{parent} stands in the path of a resource without a parent"
        if resource.shape == "object":
            yield "shape", "one object is fetched for each parent: name it"
        return
    parent = known.get(resource.parent)
    if parent is None:
        yield "parent", f'"{resource.name}" has an unknown parent "{resource.parent}"'
    elif parent.parent is not None or parent.shape != "pages":
        yield "parent", f'"{parent.name}" is no collection of its own, which a parent must be'
    if "{parent}" not in resource.path:
        yield "path", "{parent}, the parent's id, is missing"


def _holes(template: str, keys: Sequence[str]) -> Iterator[str]:
    """Holes that no tenant's key fills."""
    try:
        fields = [(name, spec, how) for _, name, spec, how in Formatter().parse(template) if name is not None]
    except ValueError:
        yield "a brace that is not closed; write {{ or }} for one of its own"
        return
    for name, spec, how in fields:
        if name not in keys or spec or how:
            yield f"{{{name}}} is none of tenant_keys"


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
            date_filter=paging.date_filter,
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
