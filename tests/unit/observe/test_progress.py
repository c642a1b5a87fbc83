"""Progress: counted per application, painted only where somebody looks."""

from __future__ import annotations

import io
import json

import pytest

from harvester.events import PageFetched, PullFinished, Retried
from harvester.model import Pull
from harvester.observe.progress import Count, Mode, Tallies, open_progress

PULL = Pull("p", "flyt", "oslo", "users")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(mode: Mode, stream: io.StringIO) -> str:
    with open_progress(mode, stream=stream, totals={"flyt": 2, "sis": 1}, clock=lambda: 10.0) as observe:
        observe(PageFetched(PULL, 0, 100, 5000, 0.1))
        observe(Retried(PULL, "HTTP 429, throttled", 429, 1.0))
        observe(PullFinished(PULL, "committed", 98, "certified", ""))
        observe(PullFinished(PULL, "failed", 0, None, "gone"))
    return stream.getvalue()


def test_without_a_terminal_a_plain_line_is_the_last_word() -> None:
    assert said("auto", io.StringIO()).startswith("2/3 pulls, 1 not committed, 1 pages, 100 rows")


def test_for_programs_it_is_one_json_object() -> None:
    summary = json.loads(said("json", io.StringIO()))
    assert (summary["message_type"], summary["done"], summary["throttled"]) == ("summary", 2, 1)


def test_none_says_nothing() -> None:
    assert said("none", io.StringIO()) == ""


def test_a_terminal_gets_a_table_and_its_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = said("auto", Terminal())
    assert "flyt" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_a_terminal_that_can_only_print_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert said("auto", Terminal()).startswith("2/3 pulls")


def test_events_are_counted_by_application() -> None:
    tallies = Tallies({"flyt": Count(2)}, lambda: 0.0)
    tallies(PageFetched(PULL, 0, 7, 1, 0.1))
    assert tallies.counts["flyt"] == Count(2, pages=1, records=7)
