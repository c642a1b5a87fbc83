"""What all tests share: the event loop's kind, and how to run a failing test again."""

from __future__ import annotations

import os

import pytest
from hypothesis import is_hypothesis_test, settings


@pytest.fixture
def anyio_backend() -> str:
    """One loop: aiohttp is asyncio's own."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make fuzz EXAMPLES=n`: so many examples for each property, instead of the few of the default suite."""
    examples = int(os.environ.get("EXAMPLES", "0"))
    for item in items if examples else ():
        test = getattr(item, "obj", None)
        machine = getattr(getattr(test, "__self__", None), "settings", None)
        if isinstance(machine, settings):  # a state machine: each example is a hundred times as much
            type(test.__self__).settings = settings(machine, max_examples=max(1, examples // 100))  # type: ignore[union-attr]
        elif is_hypothesis_test(test):
            few = test._hypothesis_internal_use_settings  # type: ignore[union-attr]
            test._hypothesis_internal_use_settings = settings(few, max_examples=examples, deadline=None)  # type: ignore[union-attr]
