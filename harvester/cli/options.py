"""What several verbs share: options, and reading the configuration that a verb is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from harvester.config.load import Config

Progress = Literal["auto", "plain", "json", "none"]
Tenants = Annotated[list[str] | None, Parameter(name="--tenant", negative=(), consume_multiple=False)]
Resources = Annotated[list[str] | None, Parameter(name="--resource", negative=(), consume_multiple=False)]
Switch = Annotated[bool, Parameter(negative=())]


def configured(path: Path) -> Config:
    """The configuration, once what a person should know of it is said."""
    from harvester.config.load import load

    config = load(path)
    for notice in config.notices:
        print(f"harvester: {notice}", file=sys.stderr)
    return config
