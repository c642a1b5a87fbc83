"""What a backfill leaves of the quotas to the runs beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from harvester.ledger import Ledger
from harvester.model import Limits
from harvester.sinks.sink import Json, Sink
from harvester.sparing import FRESH, Sparing

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
TOMORROW = NOON + 86_400
LEFT_AFTER_TODAY = 10
"""days of November"""


class Runs:
    """As much of a sink as `Sparing` reads."""

    def __init__(self, *runs: tuple[str, str, int]) -> None:
        self.all = list(runs)

    def runs(self) -> Iterator[Json]:
        for day, mode, sent in self.all:
            yield _manifest(day, mode, sent)


def _manifest(day: str, mode: str, sent: int) -> dict[str, Any]:
    return {
        "started": f"{day}T02:00:00.000Z",
        "applications": {"flyt": {"sent": sent}},
        "results": [{"mode": mode}],
    }


def sparing(runs: Runs) -> Sparing:
    return Sparing(cast("Sink", runs))


def test_nothing_is_left_to_runs_that_there_are_not() -> None:
    assert sparing(Runs())("flyt", NOON) == {}
    assert sparing(Runs(("2026-11-19", "full", 300)))("another", NOON) == {}


def test_before_the_nights_run_what_it_will_use_is_left_and_after_it_nothing() -> None:
    runs = Runs(("2026-11-19", "full", 300))
    assert sparing(runs)("flyt", NOON) == {"day": 300, "month": 300 + 300 * LEFT_AFTER_TODAY}
    runs.all.append(("2026-11-20", "incremental", 300))
    spare = sparing(runs)
    assert spare("flyt", NOON)["day"] == 0
    assert spare("flyt", TOMORROW)["day"] == 300, "the backfill went on past midnight"


def test_the_dearest_day_of_late_counts_and_backfills_do_not() -> None:
    runs = Runs(
        ("2026-11-19", "incremental", 20),
        ("2026-11-19", "incremental", 10),
        ("2026-11-14", "full", 900),
        ("2026-11-01", "full", 5000),  # long ago
        ("2026-11-19", "backfill", 7000),
    )
    assert sparing(runs)("flyt", NOON)["day"] == 900


def test_manifests_are_read_again_once_they_may_have_changed() -> None:
    runs = Runs(("2026-11-19", "full", 300))
    spare = sparing(runs)
    assert spare("flyt", NOON)["day"] == 300
    runs.all.append(("2026-11-20", "full", 300))
    assert spare("flyt", NOON + 1)["day"] == 300
    assert spare("flyt", NOON + FRESH)["day"] == 0


def test_the_ledger_leaves_what_is_spared(tmp_path: Path) -> None:
    ledger, limits = Ledger(tmp_path), Limits(daily_requests=1000)
    took = 0
    while block := ledger.reserve("flyt", limits, NOON, {"day": 300}).block.left:
        took += block
    assert took == 700
    assert ledger.reserve("flyt", limits, NOON).block.left > 0, "a run may use the rest"
