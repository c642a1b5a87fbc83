"""What all tests share: the event loop's kind, and how to run a failing test again."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """One loop: aiohttp is asyncio's own."""
    return "asyncio"
