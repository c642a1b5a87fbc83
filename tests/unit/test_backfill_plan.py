"""The file of a backfill: what it set out to do survives torn tails, and damage is told from youth."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.backfill_plan import Course, CourseFile, Ended, Terms, courses, path_of
from harvester.errors import UsageError
from harvester.model import Pull

TERMS = Terms("2026-01-01T00:00:00.000Z", "2026-01-04T00:00:00.000Z", 86_400.0, ("oslo*",), ("users",))
PULLS = [Pull("p", "a", tenant, "users") for tenant in ("oslo-1", "oslo-2")]
DONE = Ended(True, 0, 2, 0, 0, 14, 3)
TRIED = Ended(False, 8, 1, 0, 0, 7, 2)


def written(folder: Path) -> bytes:
    course = Course("20261120T020000Z-7f3a9c", TERMS, PULLS)
    file = CourseFile(folder, course)
    file.begin()
    file.began(1, 5.0)
    file.ended(1, DONE)
    file.began(2, 6.0)
    file.ended(2, TRIED)
    file.refused("oslo-2/users")
    file.close()
    (found,) = courses(folder)
    assert found == course
    return path_of(folder, course.id).read_bytes()


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    written(tmp_path)
    (course,) = courses(tmp_path)
    assert not course.over, "window 2 is to be tried again, window 3 was not begun"
    assert course.run_id(3) == "20261120T020000Z-7f3a9c-w003"
    assert path_of(tmp_path, course.id).stat().st_mode & 0o777 == 0o600


def test_it_is_over_when_all_windows_are_done(tmp_path: Path) -> None:
    written(tmp_path)
    (course,) = courses(tmp_path)
    file = CourseFile(tmp_path, course)
    for number in (2, 3):
        file.ended(number, DONE)
    file.close()
    (course,) = courses(tmp_path)
    assert course.over


def test_a_torn_tail_forgets_only_the_last_entry_wherever_it_tore(tmp_path: Path) -> None:
    whole = written(tmp_path)
    (path,) = tmp_path.glob("*.plan")
    ends = [i for i, byte in enumerate(whole) if byte == 10]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = list(courses(tmp_path))
        if length < ends[0]:
            assert found == [], "it died before its first request"
            continue
        (course,) = found
        assert course.pulls == PULLS
        assert (1 in course.ended) == (length >= ends[2])
        if length % 25 == 0:  # and it can be gone on with
            file = CourseFile(tmp_path, course)
            file.began(3, 7.0)
            file.close()
            assert next(courses(tmp_path)).begun[3] == 7.0


def test_damage_and_foreign_versions_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(tmp_path)
    (path,) = tmp_path.glob("*.plan")
    path.write_bytes(b"x" + whole)
    with pytest.raises(UsageError, match=r"damaged.*Remove the file"):
        list(courses(tmp_path))
    path.write_bytes(whole)
    monkeypatch.setattr("harvester.backfill_plan.SCHEMA_VERSION", 2)
    with pytest.raises(UsageError, match="schema version 1"):
        list(courses(tmp_path))
