"""Where a tenant's resource lies: base URL, token URL, scope, headers; declared and configured."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from harvester.errors import ConfigError
from harvester.model import Application, Tenant
from harvester.providers.dialect import ClientCredentials, Environment, Provider, Resource, StaticBearer


def base_url(provider: Provider, application: Application, tenant: Tenant, resource: Resource) -> str:
    """The URL that `resource.path` is appended to, without a trailing slash.

    The tenant's `base_url` comes before the application's, and that before the environment's. One that names
    only a host gets the provider's service path; one with a path is taken as it is, save that OneRoster 1.2's
    other services are found beside the rostering service.
    """
    stated = tenant.base_url or application.base_url or environment(provider, application).base_url
    if stated is None:
        raise ConfigError(
            f"{provider.name} has no published address for {application.environment!r}",
            where=f"tenant {tenant.id}",
            advice=f"Give applications.{application.name} or the tenant a base_url.",
        )
    stated = stated.rstrip("/")
    service = resource.service or provider.service_path
    if not urlsplit(stated).path:
        return stated + _filled(service, tenant)
    if service != provider.service_path and stated.endswith(provider.service_path):
        return stated.removesuffix(provider.service_path) + service
    return stated


def environment(provider: Provider, application: Application) -> Environment:
    """The environment that the application works in; its name was checked when the configuration was read."""
    return provider.environments.get(application.environment, Environment())


def token_url(provider: Provider, application: Application) -> str:
    """Where tokens are asked for. Raises `ConfigError` when neither configuration nor declaration says."""
    stated = application.token_url or environment(provider, application).token_url
    if stated is None:
        raise ConfigError(
            f"{provider.name} needs a token_url",
            where=f"applications.{application.name}",
            advice="The provider's documentation of its token endpoint has it.",
        )
    return stated


def scope(provider: Provider, application: Application) -> str | None:
    """The scope that is asked for; None asks for none, which most servers take for all."""
    if application.scope is not None:
        return application.scope or None
    return environment(provider, application).scope


def headers(provider: Provider, tenant: Tenant) -> Mapping[str, str]:
    """Headers that every request for this tenant carries, besides the proof of who we are."""
    return {name: value.format_map(tenant.keys) for name, value in provider.headers.items()}


def lack_of(provider: Provider, application: Application, tenant: Tenant) -> ConfigError | None:
    """What is missing to reach this tenant: an address, a token URL, a credential. None: nothing."""
    try:
        base_url(provider, application, tenant, provider.resources[0])
        if isinstance(provider.auth, ClientCredentials):
            token_url(provider, application)
    except ConfigError as error:
        return error
    static = isinstance(provider.auth, StaticBearer)
    for key in ("access_token",) if static else ("client_id", "client_secret"):
        if key not in tenant.credentials and key not in application.credentials:
            advice = f"Set it for the tenant or for applications.{application.name}."
            return ConfigError(f'{provider.name} needs "{key}"', advice=advice)
    return None


def _filled(template: str, tenant: Tenant) -> str:
    return template.format_map({name: quote(value, safe="") for name, value in tenant.keys.items()})
