"""Small worlds read by id: probed first, then changing under the pull. What is certified is complete."""

from __future__ import annotations

import os
import random
import string
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache

import pytest

from harvester.model import Page, Window
from harvester.paging.collations import COLLATIONS
from harvester.paging.keyset import Keyset, KeysetBrokenError, Lane, Proof, condition, lanes_between
from harvester.paging.keyset_probe import probe

SEEDS = int(os.environ.get("SEEDS", "4000"))

Key = Callable[[str], object]


@cache
def key_of(collation: str) -> Key:
    return lru_cache(100_000)(lambda row_id: COLLATIONS[collation]([row_id])[0])


def natural_length(row_id: str) -> object:
    """A collation that the harvester does not know."""
    return (len(row_id), row_id)


ALPHABETS = {
    "hex": string.hexdigits[:16],
    "both cases": "aAbBcCdD",
    "punctuated": "ab-_.",
    "digits": string.digits[1:],
    "quotes": "ab'c",
}


@dataclass
class World:
    """A server's table that sorts by one key and filters by another, maybe with a vice."""

    rng: random.Random
    sort: Key
    filter: Key
    make: Callable[[], str]
    rows: int
    vice: str = ""
    total: str = "right"
    cap: int | None = None
    changes: float = 0.0
    ids: set[str] = field(default_factory=set)
    changed: bool = False

    def __post_init__(self) -> None:
        while len(self.ids) < self.rows:
            self.ids.add(self.make())
        self.persistent = set(self.ids)

    def change(self) -> None:
        while self.rng.random() < self.changes:
            self.changed = True
            if self.rng.random() < 0.5 or not self.ids:
                self.ids.add(self.make())
            else:
                gone = self.rng.choice(sorted(self.ids))
                self.ids.discard(gone)
                self.persistent.discard(gone)

    def page(self, window: Window, anchor: str | None = None, operator: str = ">=") -> Page | None:
        self.change()
        if anchor is not None:
            condition("sourcedId", operator, anchor)
        if anchor is not None and (
            self.vice == "refused" or (self.vice == "refuse-inclusive" and operator == ">=")
        ):
            return None
        kept = [i for i in self.ids if anchor is None or self._holds(i, anchor, operator)]
        kept.sort(key=lambda i: (self.sort(i), i))  # type: ignore[arg-type, return-value]
        if self.vice == "unsorted":
            self.rng.shuffle(kept)
        limit = min(window.limit, self.cap or window.limit)
        cut = kept[window.offset : window.offset + limit]
        total = {"right": len(kept), "none": None, "unfiltered": len(self.ids)}[self.total]
        return Page(window, cut, [b""] * len(cut), [b"{}"] * len(cut), total)

    def _holds(self, row_id: str, anchor: str, operator: str) -> bool:
        if self.vice == "ignored":
            return True
        one, other = self.filter(row_id), self.filter(anchor)
        if operator == ">=" and self.vice == "equal":
            return one == other
        inclusive = operator == ">=" and self.vice != "exclusive"
        return other < one or (inclusive and one == other)  # type: ignore[operator]


VICES = (
    *[""] * 6,
    "ignored",
    "refused",
    "refuse-inclusive",
    "exclusive",
    "unsorted",
    "equal",
)


def _sorts(collation: str, ids: list[str]) -> bool:
    """Whether a collation has keys for ids of this kind."""
    try:
        COLLATIONS[collation](ids)
    except ValueError:
        return False
    return True


def world(seed: int) -> tuple[World, int, random.Random]:
    rng = random.Random(seed)
    kind = rng.choice(sorted(ALPHABETS))
    letters, length = ALPHABETS[kind], rng.choice([3, 4, 6])

    def make() -> str:
        size = rng.randint(2, length) if kind in ("digits", "punctuated") else length
        return "".join(rng.choices(letters, k=size))

    keys: list[Key] = [key_of(name) for name in sorted(COLLATIONS) if _sorts(name, [letters])]
    sort = rng.choice([*keys, key_of("codepoint")])
    alike = rng.random() < 0.6
    table = World(
        rng,
        sort,
        sort if alike else rng.choice([*keys, natural_length]),
        make,
        rng.choice([40, 50, 60]),
        vice=rng.choice(VICES),
        total=rng.choice(["right", "right", "none", "unfiltered"]),
        cap=rng.choice([None, None, None, 1, 2, 3]),
    )
    return table, rng.choice([3, 5, 8, 16]), rng


def find_out(table: World, limit: int) -> Proof | str:
    probing = probe(table.rows, limit, "2026-11-21")
    asks = next(probing)
    while True:
        pages = []
        for ask in asks:
            try:
                pages.append(table.page(ask.window, ask.anchor, ask.operator))
            except KeysetBrokenError:
                pages.append(None)
        try:
            asks = probing.send(pages)
        except StopIteration as end:
            found: Proof | str = end.value
            return found


def pull(table: World, proof: Proof, limit: int, rng: random.Random) -> tuple[list[str], Keyset]:
    first = table.page(Window(0, limit))
    assert first is not None
    keys = []
    for place in range(1, rng.choice([1, 2, 4, 8]) if proof.operator == ">=" else 1):
        page = table.page(Window(place * table.rows // 4, 1))
        keys += list(page.ids) if page else []
    lanes = list(lanes_between(keys, proof.collation))
    machine = Keyset(proof, "sourcedId asc", lanes, total_first=first.total)
    written: dict[int, list[str]] = {lane.number: [] for lane in lanes}
    pages = 0
    while not machine.done:
        pages += 1
        assert pages < 5_000, "endless"
        if rng.random() < 0.1:  # another process goes on with what the journal has
            machine.lanes = [Lane(*(getattr(x, n) for n in x.__slots__)) for x in machine.lanes]
        lane = rng.choice([lane for lane in machine.lanes if not lane.done])
        answer = table.page(Window(0, limit), machine.behind(lane.number), proof.operator)
        if answer is None:
            raise KeysetBrokenError("refused")
        written[lane.number] += [answer.ids[row] for row in machine.received(lane.number, answer)]
    last = table.page(Window(0, 1))
    assert last is not None
    machine.settle(last.total)
    return [row_id for number in sorted(written) for row_id in written[number]], machine


@pytest.mark.parametrize("block", range(4))
def test_what_is_read_by_id_is_complete_and_comes_once(block: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(block, SEEDS, 4):
        table, limit, rng = world(seed)
        sound = not table.vice and table.sort is table.filter
        table.changes = rng.choice([0.0, 0.0, 0.0, 0.1])
        proof = find_out(table, limit)
        if isinstance(proof, str):
            seen["not proved, though sound" if sound else "not proved"] += 1
            continue
        table.persistent, table.changed = set(table.ids), False
        table.changes = rng.choice([0.0, 0.3, 0.6])
        try:
            written, machine = pull(table, proof, limit, rng)
        except KeysetBrokenError:
            seen["given up, though sound" if sound else "given up"] += 1
            continue
        again = f"again with world(seed={seed}); {proof} {table.vice!r} {table.total} {machine.lanes}"
        assert len(written) == len(set(written)), f"a record came twice; {again}"
        lost = table.persistent - set(written)
        assert not lost, f"certified, and {sorted(lost)} lost; {again}"
        assert machine.certificate().verdict == "certified"
        assert set(written) <= table.persistent or table.changed, again
        seen["certified while it changed" if table.changed else "certified"] += 1
    assert seen["certified"] > SEEDS / 400, seen
    assert seen["certified while it changed"] > SEEDS / 400, seen
    assert seen["not proved"] > SEEDS / 100, seen
    sys.stderr.write(f"{dict(seen)}\n")


def test_a_sound_server_is_proved_and_a_calm_one_read_to_its_end() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        table = World(rng, str, str, lambda rng=rng: f"{rng.getrandbits(32):08x}", 90)  # type: ignore[misc]
        proof = find_out(table, 10)
        assert isinstance(proof, Proof), f"again with seed={seed}: {proof}"
        written, machine = pull(table, proof, 10, rng)
        assert written == sorted(table.ids), f"again with seed={seed}"
        assert machine.certificate().pages <= 90 / 9 + 2 * 8, f"again with seed={seed}"
