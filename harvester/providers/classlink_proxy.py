"""ClassLink's OneRoster proxy: OneRoster 1.1 of every district, by one bearer token an application.

Source: the vendor's developer pages. The token does not expire unless it is replaced in the console.
"""

from __future__ import annotations

from harvester.providers.dialect import Environment, Provider, StaticBearer
from harvester.providers.oneroster import ONEROSTER_V1P1, PAGING, V1P1

CLASSLINK_PROXY = Provider(
    name="classlink-proxy",
    title="ClassLink OneRoster proxy",
    service_path="/{app_id}" + V1P1,
    auth=StaticBearer(),
    paging=PAGING,
    environments={"production": Environment(base_url="https://oneroster-proxy.classlink.io")},
    tenant_keys=("app_id",),
    resources=ONEROSTER_V1P1.resources,
    shared_host=False,
)
