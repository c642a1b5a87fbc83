"""The token cache as a state machine: askers, cancellations, refused tokens, a moody endpoint, passing time.

Never two requests in flight for one grant; no token is served at its end; who asks often never waits twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from harvester.auth.grants import Grant
from harvester.auth.tokens import Token
from harvester.errors import HarvesterError
from harvester.http.messages import Reply
from tests import virtual
from tests.identity import cache, grant, granted, refused, unheard

TENANTS = ("bergen", "oslo")
MOODS = {
    "well": lambda number, life: granted(f"token-{number}", life),
    "busy": lambda number, life: refused(503),
    "silent": lambda number, life: unheard(),
    "throttles": lambda number, life: refused(429, **{"retry-after": "7"}),
    "nonsense": lambda number, life: Reply(200, {}, b"{}", 0.0),
}


class TokenMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = virtual.VirtualLoop()
        self.grants: dict[str, Grant] = {name: grant(name, name=f"tenant {name}") for name in TENANTS}
        self.flying: Counter[bytes] = Counter()
        self.crowd = 0
        self.dies: dict[str, float] = {}
        """token -> when it dies, by the endpoint"""
        self.asked = 0
        self.mood, self.life, self.takes = "well", 600.0, 1.0
        self.asking: list[asyncio.Task[None]] = []
        self.tokens: dict[str, Token] = {}
        """last served, by tenant"""

    @initialize(life=st.sampled_from([60.0, 600.0, 3600.0]))
    def begin(self, life: float) -> None:
        async def make() -> Any:
            return cache(self.post)  # type: ignore[arg-type]

        self.life = life
        self.cache = self.loop.run_until_complete(make())

    async def post(self, url: str, headers: Any, body: bytes) -> Reply:
        self.flying[body] += 1
        self.crowd = max(self.crowd, self.flying[body])
        number, self.asked = self.asked, self.asked + 1
        mood, life, sent = self.mood, self.life, self.loop.time()
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.flying[body] -= 1
        reply = MOODS[mood](number, life)
        if mood == "well":
            self.dies[f"token-{number}"] = sent + self.takes + life
        return reply

    async def ask(self, tenant: str) -> None:
        try:
            token = await self.cache.get(self.grants[tenant])
        except HarvesterError:
            return
        assert self.loop.time() < self.dies[token.secret.reveal()], "a dead token was served"
        self.tokens[tenant] = token

    def spend(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        for task in [task for task in self.asking if task.done()]:
            self.asking.remove(task)
            if not task.cancelled():
                task.result()

    @rule(tenant=st.sampled_from(TENANTS), askers=st.integers(1, 5))
    def some_ask(self, tenant: str, askers: int) -> None:
        self.asking += [self.loop.create_task(self.ask(tenant)) for _ in range(askers)]
        self.spend(0.0)

    @rule(number=st.integers(0, 9))
    def one_goes_away(self, number: int) -> None:
        if self.asking:
            self.asking[number % len(self.asking)].cancel()
            self.spend(0.0)

    @rule(tenant=st.sampled_from(TENANTS))
    def the_api_refuses(self, tenant: str) -> None:
        if tenant in self.tokens:
            self.cache.reject(self.grants[tenant], self.tokens[tenant])

    @rule(mood=st.sampled_from(sorted(MOODS)), takes=st.sampled_from([0.0, 1.0, 20.0]))
    def the_endpoint_changes(self, mood: str, takes: float) -> None:
        self.mood, self.takes = mood, takes

    @rule(seconds=st.sampled_from([0.5, 5.0, 31.0, 300.0, 590.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.spend(seconds)

    @rule(tenant=st.sampled_from(TENANTS))
    def who_asks_often_waits_for_no_renewal(self, tenant: str) -> None:
        self.mood, self.takes = "well", 1.0
        self.spend(4000.0)  # what was under way has ended, and what rests may go on
        self.loop.run_until_complete(self.ask(tenant))
        known = tenant in self.tokens and self.loop.time() < self.tokens[tenant].good_until
        for _ in range(60):
            self.spend(self.life / 20)
            began = self.loop.time()
            self.loop.run_until_complete(self.ask(tenant))
            assert not known or self.loop.time() == began, "waited for a token that was at hand"

    @invariant()
    def never_two_in_flight(self) -> None:
        assert self.crowd <= 1

    def teardown(self) -> None:
        if hasattr(self, "cache"):
            self.loop.run_until_complete(self.cache.aclose())
            self.spend(0.0)
        self.loop.close()


TestTokens = TokenMachine.TestCase
TestTokens.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
