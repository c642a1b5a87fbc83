"""Configurations: whatever stands in one, only a `ConfigError` comes out."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.config.load import load
from harvester.errors import ConfigError
from tests.unit.config.test_load import GOOD

LINES = GOOD.splitlines()
JUNK = st.sampled_from(
    [
        "[run]",
        "[[tenants]]",
        "[applications]",
        "x = 1",
        "url = 5",
        "[sink.x]",
        "id = []",
        "a.b.c = {}",
        "[",
        "tenants = 3",
        "applications = []",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_configuration_loads_or_is_refused_by_name(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        action = data.draw(st.sampled_from(["drop", "twice", "junk", "text"]))
        if action == "drop":
            del lines[place]
        else:
            new = {"twice": lines[place], "junk": data.draw(JUNK), "text": data.draw(st.text(max_size=12))}[
                action
            ]
            lines.insert(place, new)
    _load("\n".join(lines).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_load_or_are_refused_by_name(text: bytes) -> None:
    _load(text)


def _load(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.toml"
        path.write_bytes(text)
        path.chmod(0o600)
        with contextlib.suppress(ConfigError):
            load(path)
