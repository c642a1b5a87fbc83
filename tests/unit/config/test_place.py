"""Where a key stands in a file, whatever way the file is written."""

from __future__ import annotations

import pytest

from harvester.config.place import did_you_mean, line_of, spelled

TEXT = """\
top = 1
# [sink]
[sink]
  url = "x"   # url = "y"
[applications."fl.yt"]
"client_id" = "x"
'scope' = "y"
limits = { rate = "20/s", nested = { deep = 1 } }
limits2.rate = 5
[ applications . other ]
limits . page_size = 5
fields = [
  "a",
  "b",
]
[[tenants]]
id = "one"
[[tenants]]
id = "two"
resources = ["orgs", "users"]
[providers.p]
[[providers.p.resources]]
name = "a"
[[providers.p.resources]]
name = "b"
[[providers.p.resources.deeper]]
x = 1
[providers.p.paging]
limit = "l"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 1),
        (("sink",), 3),
        (("sink", "url"), 4),
        (("sink", "missing"), 3),
        (("applications", "fl.yt"), 5),
        (("applications", "fl.yt", "client_id"), 6),
        (("applications", "fl.yt", "scope"), 7),
        (("applications", "fl.yt", "limits", "rate"), 8),
        (("applications", "fl.yt", "limits", "nested", "deep"), 8),
        (("applications", "fl.yt", "limits2", "rate"), 9),
        (("applications", "other", "limits", "page_size"), 11),
        (("applications", "other", "fields", 1), 12),
        (("tenants", 0), 16),
        (("tenants", 0, "id"), 17),
        (("tenants", 1, "id"), 19),
        (("tenants", 1, "resources", 1), 20),
        (("tenants", 1, "missing"), 18),
        (("providers", "p", "resources", 0, "name"), 23),
        (("providers", "p", "resources", 1, "name"), 25),
        (("providers", "p", "resources", 1, "deeper", 0, "x"), 27),
        (("providers", "p", "paging", "limit"), 29),
        (("nowhere",), None),
        (("tenants", 7, "id"), None),
    ],
)
def test_a_key_is_found_in_its_line_or_that_of_what_it_stands_in(
    path: tuple[str | int, ...], line: int | None
) -> None:
    assert line_of(TEXT, path) == line


def test_tables_written_in_one_line_are_found_too() -> None:
    text = 'x = 1\ntenants = [{ id = "a", nope = 1 }]\n'
    assert line_of(text, ("tenants", 0, "nope")) == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("tenants", 3, "id"), "tenants[3].id"),
        (("applications", "fl.yt", "scope"), 'applications."fl.yt".scope'),
        (("a", "b\nc"), 'a."b\\nc"'),
        ((), ""),
    ],
)
def test_a_path_is_spelled_as_toml_has_it_on_one_line(path: tuple[str | int, ...], text: str) -> None:
    assert spelled(path) == text


def test_the_nearest_known_word_is_named_or_all_of_them() -> None:
    assert did_you_mean("tenantid", ["tenant_id", "id"]) == 'Did you mean "tenant_id"?'
    assert did_you_mean("zzz", ["b", "a"]) == "There are a, b."
    assert did_you_mean("zzz", []) == ""
