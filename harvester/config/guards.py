"""`[guards]`: when a pull is held back for a person to look, for all resources and for single ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from harvester.config.schema import GuardsTable, GuardTable
from harvester.guarding import Thresholds


@dataclass(frozen=True, slots=True)
class Guards:
    default: Thresholds = Thresholds()  # noqa: RUF009 - frozen
    resources: Mapping[str, Thresholds] = field(default_factory=dict)

    def of(self, resource: str) -> Thresholds:
        """The thresholds of one resource."""
        return self.resources.get(resource, self.default)


def guards_of(table: GuardsTable) -> Guards:
    """The thresholds that the file states, and where it is silent, ours; a resource's own come first."""
    default = _overridden(Thresholds(), table)
    return Guards(default, {name: _overridden(default, own) for name, own in table.resources.items()})


def _overridden(limits: Thresholds, table: GuardTable) -> Thresholds:
    stated = {one.name: getattr(table, one.name) for one in fields(Thresholds)}
    return replace(limits, **{name: value for name, value in stated.items() if value is not None})
