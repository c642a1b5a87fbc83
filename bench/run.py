"""Micro-benchmarks of the hot path, each as a ratio to something that does a comparable job beside it.

Interleaved, best of many, so that a noisy machine troubles both sides alike. `make micro` runs it.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from xml.etree import ElementTree

import orjson

from harvester.auth.oauth1 import PageSigner
from harvester.auth.reference import authorization
from harvester.http.messages import Reply
from harvester.http.slices import page_of
from harvester.model import Page, Window
from harvester.paging.pager import Pager
from harvester.providers.pifu import PifuParser
from harvester.sinks.frames import ENCODE

RECORDS = 1000


def roster() -> list[bytes]:
    return [
        orjson.dumps(
            {
                "sourcedId": f"{i:08x}-5a1e-4c3b-9d2f-000000000000",
                "status": "active",
                "dateLastModified": "2026-11-20T02:00:00.000Z",
                "enabledUser": "true",
                "givenName": "Åse",
                "familyName": "O'Brien-Østby",
                "roles": [
                    {"roleType": "primary", "role": "student", "org": {"sourcedId": "o1", "type": "org"}}
                ],
                "email": f"user{i}@example.org",
                "metadata": {"big": 12345678901234567890, "price": 1.5},
            }
        )
        for i in range(RECORDS)
    ]


def export() -> bytes:
    """A PIFU document of persons, a group, and a membership of all of them."""
    person = (
        '<person recstatus="1"><sourcedid><source>sas.example</source><id>{0}</id></sourcedid>'
        '<userid useridtype="username">user{0}</userid><name><fn>Åse Østby</fn>'
        "<n><family>Østby</family><given>Åse</given></n></name><demographics><gender>1</gender></demographics>"
        '<email>user{0}@example.org</email><tel teltype="1">+4700000000</tel></person>\n'
    )
    member = (
        "<member><sourcedid><source>sas.example</source><id>{0}</id></sourcedid><idtype>1</idtype>"
        '<role roletype="01"><status>1</status></role></member>\n'
    )
    group = "<sourcedid><source>sas.example</source><id>g</id></sourcedid>"
    inner = "".join(person.format(i) for i in range(RECORDS)) + f"<group>{group}</group><membership>{group}"
    inner += "".join(member.format(i) for i in range(RECORDS)) + "</membership>"
    return f'<enterprise xmlns="urn:pifu">{inner}</enterprise>'.encode()


def best(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 30) -> tuple[float, float]:
    """Seconds of the quickest call of each, taken in turns."""
    us = them = float("inf")
    for _ in range(rounds):
        for call, mine in ((ours, True), (theirs, False)):
            began = time.perf_counter()
            call()
            took = time.perf_counter() - began
            if mine:
                us = min(us, took)
            else:
                them = min(them, took)
    return us, them


def through_pager(pages: int) -> None:
    """A pull without a network: what windows, joins and duplicates cost."""
    pager, rows = Pager(100), pages * 98 + 2
    while not pager.done:
        for window in pager.wanted():
            last = min(rows, window.offset + window.limit)
            ids = [f"{i:08x}" for i in range(window.offset, last)]
            pager.received(Page(window, ids, [b""] * len(ids), [b""] * len(ids), rows))
        for _ in pager.ready():
            pass


def main() -> None:
    records = roster()
    body = b'{"users":[' + b",".join(records) + b"]}"
    lines = b"\n".join(records) + b"\n"
    reply = Reply(200, {}, body, 0.1, url="https://sis.example.org/users")
    url = "https://sis.example.org/ims/oneroster/v1p1/users?limit=100&offset=5000&filter=role%3D%27student%27"
    signer = PageSigner("key", "secret", wall=time.time)

    def loads_and_dumps() -> bytes:
        return b"\n".join(json.dumps(record).encode() for record in json.loads(body)["users"])

    def hashed_set() -> None:
        seen: set[str] = set()
        for start in range(0, 20_000, 98):
            ids = [f"{i:08x}" for i in range(start, start + 100)]
            seen.update(ids)

    document = export()

    def through_parser() -> None:
        parser = PifuParser()
        for start in range(0, len(document), 65_536):
            parser.feed(document[start : start + 65_536])
            parser.take()
        parser.close()

    cases = [
        (
            "page to lines, against json",
            lambda: page_of(reply, ("sourcedId",), Window(0, RECORDS)),
            loads_and_dumps,
        ),
        (
            "gzip a frame, against zlib level 6",
            lambda: ENCODE["gzip"](lines),
            lambda: gzip.compress(lines, 6),
        ),
        (
            "OAuth1 signature, against authlib",
            lambda: signer.authorization(url),
            lambda: authorization(url, "key", "secret", method="HMAC-SHA256", nonce="n", timestamp="1"),
        ),
        ("pager, 200 pages, against a set of ids", lambda: through_pager(200), hashed_set),
        (
            f"PIFU document, {len(document) / 1e6:.2f} MB, against ElementTree",
            through_parser,
            lambda: ElementTree.fromstring(document),
        ),
    ]
    print(f"{'what':<44}{'ours':>12}{'theirs':>12}{'ratio':>8}")
    for name, ours, theirs in cases:
        us, them = best(ours, theirs)
        print(f"{name:<44}{us * 1e6:>10.1f}us{them * 1e6:>10.1f}us{them / us:>8.1f}")


if __name__ == "__main__":
    main()
