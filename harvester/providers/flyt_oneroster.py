"""Visma Flyt education: OneRoster 1.2 rostering for all of an application's customers.

Source: the vendor's OneRoster API page. One application serves many customers, whom the vendor links to it.
"""

from __future__ import annotations

from harvester.providers.dialect import ClientCredentials, Environment, Paging, Provider
from harvester.providers.oneroster import BY_ID, ONEROSTER_V1P2, ROSTERING

TOKEN_URL = "https://connect.visma.com/connect/token"  # noqa: S105 - an address
SCOPE = "one-roster-api:https://purl.imsglobal.org/spec/or/v1p2/scope/roster-core.readonly"

FLYT_ONEROSTER = Provider(
    name="flyt-oneroster",
    title="Visma Flyt OneRoster",
    service_path=ROSTERING,
    auth=ClientCredentials(method="client_secret_post", tenant_in="body"),
    paging=Paging(
        limit="Limit",
        offset="Offset",
        page_size=100,
        largest=100,
        sort=BY_ID,
        order="sourcedId asc",
        date_filter=True,
        spellings=(("limit", "offset"),),
    ),
    environments={
        "test": Environment(token_url=TOKEN_URL, scope=SCOPE),
        "stage": Environment(token_url=TOKEN_URL, scope=SCOPE),
        "production": Environment(
            base_url="https://api.oneroster.cloud.skole.visma.no", token_url=TOKEN_URL, scope=SCOPE
        ),
    },
    optional_keys=("tenant_id",),
    resources=tuple(resource for resource in ONEROSTER_V1P2.resources if resource.service == ROSTERING),
)
