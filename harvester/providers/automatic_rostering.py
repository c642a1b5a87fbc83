"""Visma Automatic Rostering: employees' shift plans as optimisation jobs, each with its request and result.

Source: the vendor's API pages. The result of a running job is the best so far: provisional, so not pulled.
`result` takes stopped jobs only and counts the others as skipped; the next full pull has them.
"""

from __future__ import annotations

from harvester.providers.dialect import ClientCredentials, Environment, Provider, Resource
from harvester.providers.flyt_oneroster import TOKEN_URL

STAGE_TOKEN_URL = "https://connect.identity.stagaws.visma.com/connect/token"  # noqa: S105 - an address

AUTOMATIC_ROSTERING = Provider(
    name="automatic-rostering",
    title="Visma Automatic Rostering",
    auth=ClientCredentials(method="client_secret_post"),
    environments={
        "stage": Environment(token_url=STAGE_TOKEN_URL, scope="automatic-rostering-stage"),
        "production": Environment(
            base_url="https://api.optimization-rostering.prod.visma.net",
            token_url=TOKEN_URL,
            scope="automatic-rostering-prod",
        ),
    },
    tenant_keys=("customer_id", "user_id"),
    headers={"CUSTOMER_ID": "{customer_id}", "USER_ID": "{user_id}"},
    resources=(
        Resource(name="jobs", path="/jobs", key=("jobId", "id"), guarded=False),
        Resource(
            name="request",
            path="/jobs/{parent}/request",
            key=("jobId",),
            shape="object",
            parent="jobs",
            parent_key="jobId",
        ),
        Resource(
            name="result",
            path="/jobs/{parent}/result",
            key=("jobId",),
            shape="object",
            parent="jobs",
            parent_key="jobId",
            parent_when=("statusCode", ("stopped",)),
        ),
    ),
)
