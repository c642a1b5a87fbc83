"""The arithmetic and the table of `make bench`; the harvests themselves are its own to check."""

import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[3] / "bench"


@pytest.fixture(autouse=True)
def _bench_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])


def sample(seconds: float, rows: int = 1000, peak: float = 50.0):
    from ratios import Sample

    return Sample(rows, seconds, cpu=seconds / 2, peak=peak, written=rows * 10)


def test_a_ratio_compares_within_a_round_and_takes_the_median() -> None:
    from ratios import ratio

    rounds = [
        {"ours": sample(1), "theirs": sample(2)},
        {"ours": sample(10), "theirs": sample(30)},
        {"ours": sample(1), "theirs": sample(100)},
        {"ours": sample(1)},
    ]
    assert ratio(rounds, "ours", "theirs") == pytest.approx(3)
    assert ratio(rounds, "ours", "nobody") is None


def test_start_up_is_taken_off() -> None:
    from ratios import without_start

    assert without_start(sample(3, rows=1100), sample(1, rows=100)) == pytest.approx(500)
    assert without_start(sample(1), sample(1, rows=100)) is None


def test_scaling_charges_for_start_up_once() -> None:
    from ratios import scaled

    whole = scaled(sample(3, rows=1100), sample(1, rows=100), 5100)
    assert whole.rows == 5100
    assert whole.seconds == pytest.approx(11)
    assert whole.cpu == pytest.approx(5.5)
    assert whole.written == 51_000


def test_the_windows_are_those_that_our_pager_asks_for() -> None:
    from pages import LIMIT, offsets

    from harvester.model import Page
    from harvester.paging.pager import Pager

    rows, rendered = 1234, set(offsets(1234))
    pager, asked = Pager(LIMIT), set()
    while not pager.done:
        for window in pager.wanted():
            asked.add((window.offset, window.limit))
            last = min(rows, window.offset + window.limit)
            ids = [f"{i:08x}" for i in range(window.offset, last)]
            pager.received(Page(window, ids, [b""] * len(ids), [b""] * len(ids), rows))
        for _ in pager.ready():
            pass
    assert {limit for _, limit in asked} == {LIMIT}
    assert {offset for offset, _ in asked} <= rendered
    assert set(range(0, rows, LIMIT)) <= rendered


def test_records_are_sorted_and_about_a_kilobyte() -> None:
    from pages import record

    records = [record(number) for number in range(0, 200_000, 997)]
    ids = [json.loads(one)["sourcedId"] for one in records]
    assert ids == sorted(set(ids))
    assert all(800 < len(one) < 1100 for one in records)


def test_the_table_says_who_was_skipped_and_which_goals_are_missed() -> None:
    from catalogue import contenders
    from table import Result, markdown

    field = [one for one in contenders(8) if one.name in ("harvester", "aiohttp", "dlt")]
    result = Result(field, {"all": 1000, "part": 200})
    result.rounds = [{"harvester": sample(4, peak=200), "aiohttp": sample(1)}]
    result.starts = {"harvester": [sample(1, rows=100)]}
    result.skip(field[-1], "Traceback\nno wheel for this machine")
    text = markdown(result)
    assert "| harvester | 250 | 300 |" in text
    assert "| harvester | >= 0.4 x aiohttp | 0.25 | **not met** |" in text
    assert "| harvester | >= 12 x dlt | not measured | - |" in text
    assert "| harvester | peak < 150 MiB | 200 MiB | **not met** |" in text
    assert "* dlt: no wheel for this machine" in text


def test_a_harvest_that_lacks_a_record_is_refused(tmp_path: Path) -> None:
    from catalogue import LOOPS, Task
    from checking import WrongHarvestError, check
    from measure import Cost
    from origin import Collection, Origin

    task = Task(Origin(1, 2, {"all": Collection("all", 3, 0)}), "all", False, tmp_path)
    cost = Cost(1.0, 1.0, 1.0, "", 0)
    lines = [b'{"sourcedId":"a"}\n', b'{"sourcedId": "b"}\n', b'{"type":"SCHEMA","key":["sourcedId"]}\n']
    (tmp_path / "users.ndjson").write_bytes(b"".join(lines))
    with pytest.raises(WrongHarvestError, match="2 records, not 3"):
        check(LOOPS[0], task, cost)
    (tmp_path / "users.ndjson").write_bytes(b"".join([*lines, b'{"sourcedId":"c"}\n']))
    assert check(LOOPS[0], task, cost) == (tmp_path / "users.ndjson").stat().st_size
