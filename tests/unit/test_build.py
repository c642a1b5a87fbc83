"""The wiring comes apart in order: whoever asks goes before what is asked over."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from harvester.auth.tokens import TokenCache
from harvester.build import wire
from harvester.clock import SystemClock
from harvester.config.load import load
from harvester.config.secrets import Secrets
from harvester.events import silent
from harvester.governor import Governor
from harvester.http.client import HttpTransport
from harvester.model import Pull
from harvester.offload import Threads

CONFIG = """
[state]
path = "STATE"
[sink]
url = "lake"
[applications.a]
provider = "oneroster-v1p2"
client_id = "me"
client_secret = "env:S"
[[tenants]]
id = "oslo"
application = "a"
base_url = "https://sis.example"
"""

pytestmark = pytest.mark.anyio


async def test_token_requests_end_before_what_carries_them_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    def noted(kind: type, method: str) -> None:
        plain = getattr(kind, method)

        async def close(self: object, *args: Any) -> Any:
            closed.append(kind.__name__)
            return await plain(self, *args)

        monkeypatch.setattr(kind, method, close)

    for kind, method in ((TokenCache, "aclose"), (Governor, "aclose"), (HttpTransport, "__aexit__")):
        noted(kind, method)
    path = tmp_path / "c.toml"
    path.write_text(
        CONFIG.replace("STATE", str(tmp_path)).replace(
            "[[tenants]]", 'token_url = "https://id.example/token"\n[[tenants]]'
        )
    )
    config = load(path)
    secrets = Secrets(environ={"S": "secret"})
    async with wire(
        config,
        observe=silent,
        clock=SystemClock(),
        rng=random.Random(1),
        secrets=secrets,
        offload=Threads(),
    ) as wiring:
        await wiring.access(Pull("oneroster-v1p2", "a", "oslo", "users"))
        await wiring._tokens_over()
    assert closed == ["TokenCache", "HttpTransport", "Governor", "HttpTransport"]
