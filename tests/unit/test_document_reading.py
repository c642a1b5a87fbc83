"""What a document proves of each of its resources."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from harvester.document_reading import Document, Table
from harvester.lines import Lines
from harvester.providers.pifu import PifuSummary


@pytest.mark.parametrize(
    ("stated", "others", "rows", "unnamed", "verdict", "why"),
    [
        ("full", {}, 5, 0, "certified", "to its end tag"),
        (None, {}, 5, 0, "certified", "to its end tag"),
        ("full", {}, 0, 0, "certified", "to its end tag"),
        ("full", {"Group": 2}, 5, 0, "certified", "to its end tag"),
        ("full", {"Group": 2}, 0, 0, "uncertified", "2 of <Group>"),
        ("incremental", {}, 5, 0, "uncertified", "'incremental', not full"),
        ("full", {}, 5, 4, "certified", "to its end tag"),
        ("full", {}, 5, 5, "uncertified", "none of the 5 found has a sourcedid"),
        ("", {}, 5, 0, "uncertified", "'', not full"),
    ],
)
def test_a_resource_is_certified_by_what_was_found(
    stated: str | None, others: dict[str, int], rows: int, unnamed: int, verdict: str, why: str
) -> None:
    table = Table(Mock(spec=Lines), rows, unnamed)
    certificate = Document(PifuSummary("urn:p", stated, {}, others), {"groups": table}).certificate("groups")
    assert certificate.verdict == verdict
    assert why in certificate.why
