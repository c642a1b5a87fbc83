"""How one tenant is reached: the provider's declaration, filled with this customer's address and signer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from harvester.collection import Collection
from harvester.events import Observer
from harvester.http.fetch import Fetcher, Tally
from harvester.model import Application, Pull, Tenant, Window
from harvester.providers.address import base_url, headers
from harvester.providers.dialect import Provider, Resource
from harvester.spelling import spell


@dataclass(frozen=True, slots=True)
class Access:
    provider: Provider
    application: Application
    tenant: Tenant
    fetcher: Fetcher
    observe: Observer

    def collection(self, pull: Pull, resource: Resource, tally: Tally, *, parent: str = "") -> Collection:
        """A resource as something to be read; `parent` is the id that a child resource belongs to."""
        return Collection(
            pull=pull,
            provider=self.provider,
            resource=resource,
            url=self.url(resource, parent),
            headers=self.headers,
            spelling=spell(self.provider, self.application, pull),
            fetcher=self.fetcher,
            observe=self.observe,
            tally=tally,
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that every request for this tenant carries, without the proof of who we are."""
        return headers(self.provider, self.tenant)

    def url(self, resource: Resource, parent: str = "") -> str:
        """The address of a resource, without a query."""
        base = base_url(self.provider, self.application, self.tenant, resource)
        return base + resource.path.replace("{parent}", quote(parent, safe="-._~"))

    def asked(self, pull: Pull, resource: Resource) -> str:
        """What the configuration says of a pull's requests, in one string: for a journal to compare."""
        spelling = spell(self.provider, self.application, pull)
        return f"{self.url(resource, '*')}?{spelling.query(Window(0, spelling.page_size))}"

    def resource(self, name: str) -> Resource:
        """The declaration of a resource that the plan has checked to exist."""
        resource = self.provider.resource(name)
        assert resource is not None, name
        return resource
