"""Visma Flyt Skole, External API: the whole of a customer's roster as one PIFU-IMS document.

Source: the vendor's External API page. The token is per customer; production needs the vendor's approval.
"""

from __future__ import annotations

from harvester.model import Limits
from harvester.providers.dialect import ClientCredentials, Environment, Provider, Resource
from harvester.providers.flyt_oneroster import TOKEN_URL

SCOPE = "vfsapi:lmsexport"

FLYT_SKOLE = Provider(
    name="flyt-skole",
    title="Visma Flyt Skole (PIFU)",
    service_path="/api/external",
    auth=ClientCredentials(method="client_secret_post", tenant_in="body"),
    environments={
        "sandbox": Environment(token_url=TOKEN_URL, scope=SCOPE),
        "production": Environment(base_url="https://skole.visma.com", token_url=TOKEN_URL, scope=SCOPE),
    },
    tenant_keys=("tenant_id",),
    limits=Limits(concurrency=4),  # each answer is a whole export, which the server must put together
    resources=tuple(
        Resource(name=name, path="/lms/pifu", shape="pifu", key=("sourcedid",))
        for name in ("persons", "groups", "memberships")
    ),
)
