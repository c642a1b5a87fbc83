"""A server that lists by date, while records change: what jumped over the cursor comes by its new date."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harvester.emulator.query import Query, matches
from harvester.emulator.roster import Row
from harvester.emulator.server import Emulator
from tests.harvesting import Lake, configure, run

pytestmark = pytest.mark.anyio

PROVIDER = "oneroster-v1p2"
TENANT = "oneroster-v1p2-1"


def stamped(row: Row, moment: datetime, style: str, **fields: object) -> Row:
    """The record with another date."""
    text = moment.date().isoformat()
    if style == "moments":
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    value = {**row.value, "dateLastModified": text, **fields}
    return Row(row.id, value, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


@dataclass
class ByDate:
    """A server that ignores `sort`: it lists by date, and records change before each answer but the first."""

    rows: list[Row]
    style: str = "moments"
    newest_first: bool = False
    filters: str = "yes"  # yes | no | finds nothing
    seed: int = 3
    updates: int = 2
    answers: int = 0
    changed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        past = datetime.now(UTC) - timedelta(days=400)
        for i, row in enumerate(self.rows):
            moment = past + timedelta(minutes=self.rng.randrange(500_000))
            self.rows[i] = stamped(row, moment, self.style)

    def chosen(self, _rows: Sequence[Row], query: Query, _vice: str = "") -> list[Row]:
        self.answers += 1
        if self.answers > 1 and not query.filter:
            for _ in range(self.updates):
                place = self.rng.randrange(len(self.rows))
                row = stamped(self.rows[place], datetime.now(UTC), self.style, givenName="changed")
                self.rows[place] = row
                self.changed.add(row.id)
        rows = list(self.rows)
        if query.filter and self.filters != "no":
            rows = [row for row in rows if matches(row.value, query.filter)]
            rows = [] if self.filters == "finds nothing" else rows
        rows.sort(key=lambda row: (row.value["dateLastModified"], row.id), reverse=self.newest_first)
        return rows


async def pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **how: Any
) -> tuple[ByDate, dict[str, Any], dict[str, bytes]]:
    """The server, the manifest, and what landed by its id."""
    async with Emulator(tenants=1, rows=1500, providers=(PROVIDER,)) as emulator:
        rows = emulator.tenant(PROVIDER, TENANT).collection("users")
        assert isinstance(rows, list)
        server = ByDate(rows, **how)
        monkeypatch.setattr("harvester.emulator.api.chosen", server.chosen)
        config = configure(emulator, tmp_path)
        done = await run(config, resources=["users"])
        lake = Lake(tmp_path / "lake")
        if done["results"][0]["state"] == "held":
            (path,) = (tmp_path / "lake").glob(f"_held/{PROVIDER}/users/*/*/*/_manifest.json")
            return server, json.loads(path.read_bytes()), {}
        lines = lake.lines(PROVIDER, "users", TENANT)
        found = {json.loads(line)["sourcedId"]: line for line in lines}
        assert len(found) == len(lines), "a record came twice"
        return server, lake.manifest(PROVIDER, "users", TENANT), found


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("style", ["moments", "days"])
async def test_what_changed_meanwhile_is_brought_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: str, newest_first: bool
) -> None:
    server, manifest, found = await pulled(tmp_path, monkeypatch, style=style, newest_first=newest_first)
    certificate = manifest["certificate"]
    assert (certificate["verdict"], certificate["scope"]) == ("repaired", "unmodified+delta"), certificate
    assert certificate["delta"]["rows"] >= len(server.changed) > 0
    assert found == {row.id: row.text for row in server.rows}, "every record, as it is now"
    assert manifest["records"] == certificate["unique"] == len(server.rows)


@pytest.mark.parametrize("filters", ["no", "finds nothing"])
async def test_a_server_that_does_not_filter_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: str
) -> None:
    _, manifest, _ = await pulled(tmp_path, monkeypatch, filters=filters)
    certificate = manifest["certificate"]
    assert (certificate["verdict"], certificate["scope"]) == ("probable", "unmodified"), certificate
    assert certificate["delta"] is None
    assert any(note.startswith("no delta repair: the") for note in certificate["notes"])


async def test_an_empty_delta_is_believed_when_the_filter_finds_the_newest_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, manifest, found = await pulled(tmp_path, monkeypatch, updates=0)
    assert manifest["certificate"]["verdict"] == "repaired"
    assert manifest["certificate"]["delta"]["rows"] == 0
    assert found == {row.id: row.text for row in server.rows}
