"""The wiring: the one place where transports, governors, tokens and signers meet.

Everything is made when it is first needed: an application whose tenants are not selected costs nothing, and a
secret is looked up when its tenant's first pull begins.
"""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

from harvester.access import Access
from harvester.auth.schemes import signer_for
from harvester.auth.token_store import TokenStore
from harvester.auth.tokens import TokenCache
from harvester.clock import Clock
from harvester.config.load import Config
from harvester.config.secrets import Secrets
from harvester.events import Observer
from harvester.governor import Governor
from harvester.http.client import Connector, HttpTransport, TCPConnector
from harvester.http.fetch import Fetcher, Turn
from harvester.http.messages import Reply, Request, Transport
from harvester.http.retry import POLICY, RetryBudget, RetryPolicy
from harvester.learned_limits import LearnedLimits
from harvester.ledger import Ledger, Spare
from harvester.model import Application, Limits, Pull, Tenant
from harvester.offload import Offload
from harvester.sinks.local import LocalSink
from harvester.sinks.sink import Sink
from harvester.sinks.stdout import StdoutSink

TOKEN_LIMITS = Limits(concurrency=4)
"""Identity servers dislike crowds; all applications of one token host share this."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One application's way to its provider, shared by its tenants."""

    application: Application
    transport: Transport
    governor: Governor
    budget: RetryBudget


@dataclass(slots=True)
class Wiring:
    """Gives each pull its access. Made by `wire`."""

    config: Config
    observe: Observer
    clock: Clock
    rng: random.Random
    secrets: Secrets
    policy: RetryPolicy
    offload: Offload
    deadline: float | None
    connector: Connector
    turn: Turn | None
    spare: Spare | None
    _stack: AsyncExitStack
    _ledger: Ledger
    _cache: TokenCache = field(init=False)
    _reaches: dict[str, Reach] = field(default_factory=dict)
    _token_hosts: dict[str, Governor] = field(default_factory=dict)
    _accesses: dict[str, Access] = field(default_factory=dict)
    _tenants: dict[str, Tenant] = field(default_factory=dict)
    _token_transport: Transport | None = None
    _making: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        self._tenants = {tenant.id: tenant for tenant in self.config.tenants}
        store = TokenStore(self.config.state.path, self.observe) if self.config.state.token_cache else None
        self._cache = TokenCache(
            self._post, clock=self.clock, rng=self.rng, secrets=self.secrets, store=store, policy=self.policy
        )

    async def aclose(self) -> None:
        """End the requests for tokens, while there still are governors and transports for them."""
        await self._cache.aclose()

    async def access(self, pull: Pull) -> Access:
        """How to reach the pull's tenant. Raises `SecretError` and `ConfigError`."""
        if pull.tenant not in self._accesses:
            async with self._making:  # two pulls at once must not make two governors of one limit
                reach = await self._reach(pull.application)
            tenant = self._tenants[pull.tenant]
            provider = self.config.providers[pull.provider]
            # A secret may come from a program that takes its time: the other pulls go on meanwhile.
            signer = await self.offload(
                partial(
                    signer_for,
                    provider,
                    reach.application,
                    tenant,
                    secrets=self.secrets,
                    cache=self._cache,
                    clock=self.clock,
                )
            )
            fetcher = Fetcher(
                reach.transport,
                reach.governor,
                signer,
                self.clock,
                self.rng,
                self.policy,
                reach.budget,
                self.observe,
                deadline=self.deadline,
                turn=self.turn,
            )
            self._accesses[pull.tenant] = Access(provider, reach.application, tenant, fetcher, self.observe)
        return self._accesses[pull.tenant]

    async def _reach(self, name: str) -> Reach:
        if name not in self._reaches:
            application = self.config.applications[name]
            provider = self.config.providers[application.provider]
            transport = await self._transport(application)
            about = f"{provider.name} {application.credentials.get('client_id', '')}"
            limits = LearnedLimits(self.config.state.path / "limits", self.offload)
            governor = Governor(
                name,
                merged(application.limits, provider.limits),
                clock=self.clock,
                rng=self.rng,
                ledger=self._ledger,
                observe=self.observe,
                per_tenant_limits=not provider.shared_host,
                spare=self.spare,
                known=await limits.recall(name, about, self.clock.wall()),
            )

            async def keep() -> None:
                await governor.aclose()
                await limits.remember(name, about, self.clock.wall(), governor.learned)

            self._stack.push_async_callback(keep)
            self._reaches[name] = Reach(application, transport, governor, RetryBudget())
        return self._reaches[name]

    async def _transport(self, application: Application) -> Transport:
        ca_file = Path(application.ca_file) if application.ca_file else None
        transport = HttpTransport(ca_file=ca_file, trust_env=application.trust_env, connector=self.connector)
        return await self._stack.enter_async_context(transport)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """A token request: in its turn at the token host, over a transport of its own."""
        host = urlsplit(url).netloc
        async with self._making:
            transport = await self._tokens_over()
        if host not in self._token_hosts:
            self._token_hosts[host] = Governor(
                f"tokens of {host}",
                TOKEN_LIMITS,
                clock=self.clock,
                rng=self.rng,
                ledger=None,
                observe=self.observe,
            )
        async with self._token_hosts[host].permit("") as permit:
            reply = await transport.send(Request(url, "POST", headers, body))
            permit.answered(0 if reply.error else reply.status, reply.headers, reply.took)
        return reply

    async def _tokens_over(self) -> Transport:
        if self._token_transport is None:
            applications = self.config.applications.values()
            ca_file = next((Path(a.ca_file) for a in applications if a.ca_file), None)
            transport = HttpTransport(
                ca_file=ca_file,
                trust_env=any(a.trust_env for a in applications),
                connector=self.connector,
            )
            self._token_transport = await self._stack.enter_async_context(transport)
        return self._token_transport

    def statistics(self) -> dict[str, Any]:
        """What each application's governor counted, and the token hosts' too."""
        governors = {name: reach.governor for name, reach in self._reaches.items()}
        governors |= {governor.name: governor for governor in self._token_hosts.values()}
        kept = ("sent", "answered", "throttled", "failed", "rate", "concurrency")
        return {
            name: {key: asdict(governor.statistics())[key] for key in kept}
            for name, governor in sorted(governors.items())
        }


@asynccontextmanager
async def wire(
    config: Config,
    *,
    observe: Observer,
    clock: Clock,
    rng: random.Random,
    secrets: Secrets,
    offload: Offload,
    policy: RetryPolicy = POLICY,
    connector: Connector = TCPConnector,
    turn: Turn | None = None,
    spare: Spare | None = None,
) -> AsyncIterator[Wiring]:
    """Everything a run needs to reach its providers, closed in order at the end.

    `turn` is awaited before each request; `spare` says what of the quotas is not ours.
    """
    deadline = None if config.run.max_duration is None else clock.now() + config.run.max_duration
    ledger = Ledger(config.state.path)
    try:
        async with AsyncExitStack() as stack:
            wiring = Wiring(
                config,
                observe,
                clock,
                rng,
                secrets,
                policy,
                offload,
                deadline,
                connector,
                turn,
                spare,
                stack,
                ledger,
            )
            async with aclosing(wiring):
                yield wiring
    finally:
        ledger.close()


def open_sink(config: Config, offload: Offload) -> Sink:
    """The sink that the configuration names."""
    if config.sink.url == "-":
        spool = LocalSink(config.state.path / "spool", "none", config.sink.part_size, offload)
        return StdoutSink(spool, sys.stdout.buffer)
    return LocalSink(Path(config.sink.url), config.sink.compression, config.sink.part_size, offload)


def merged(stated: Limits, declared: Limits) -> Limits:
    """What the configuration says, and where it says nothing, what the provider declares."""
    theirs, ours = asdict(declared), asdict(stated)
    return Limits(**{name: theirs[name] if value is None else value for name, value in ours.items()})
