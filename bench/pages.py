"""The roster that every contender harvests, cut into the very pages that they ask for.

A page is a file that nginx sends as it lies, so that the origin costs next to nothing. Records are sorted by
`sourcedId`, as the specification allows a client to ask for, and all of one size.

    python bench/pages.py FOLDER ROWS     (says how many bytes a client is sent that asks for each row once)

It runs in a process of its own: the kernel counts the most memory that a parent ever held as its children's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from isal import igzip

LIMIT = 100
OVERLAP = 2
"""Rows that our windows share with their neighbours (harvester/paging/stride.py)."""
BEYOND = 64
"""Windows behind the last row: who reads ahead asks for some before the end is known."""

_ORG = '{"sourcedId":"5f1c0d2e-0000-4000-8000-%012d","type":"org","href":"https://sis.example.org/orgs/%d"}'
_ROLE = (
    '{"roleType":"primary","role":"student","org":'
    + _ORG
    + ',"beginDate":"2026-08-01","endDate":"2027-07-31"}'
)


def record(number: int) -> bytes:
    """About 1 KB of a OneRoster 1.2 user, with the letters and the odd numbers that real ones have."""
    org = number % 500
    tail = (
        number * 0x9E3779B97F4A7C15 % (1 << 48)
    )  # as random as a real one's, so that it sorts in one way only
    role = _ROLE % (org, org)
    return (
        f'{{"sourcedId":"{number:08x}-5a1e-4c3b-9d2f-{tail:012x}","status":"active",'
        f'"dateLastModified":"2026-11-20T02:{number % 60:02d}:00.000Z",'
        f'"userMasterIdentifier":"no-{number:011d}","username":"user{number:08d}","userIds":['
        f'{{"type":"sis","identifier":"{number:012d}"}},{{"type":"feide","identifier":"u{number}@example.org"}}],'
        f'"enabledUser":"true","givenName":"Åse {number % 977}","familyName":"O\'Brien-Østby",'
        f'"middleName":"Marie","preferredFirstName":"Åse","pronouns":"she/her","roles":[{role}],'
        f'"userProfiles":[],"primaryOrg":{_ORG % (org, org)},"email":"user{number}@example.org",'
        f'"sms":"+4700000000","phone":"+47{number % 10**8:08d}","grades":["{number % 10:02d}"],"agents":[],'
        f'"metadata":{{"municipality":"{number % 356:04d}","big":12345678901234567890,"price":1.5}}}}'
    ).encode()


def offsets(rows: int) -> list[int]:
    """Where windows begin: ours, which overlap, and those of everybody else, which do not."""
    ours = range(0, rows + BEYOND * (LIMIT - OVERLAP), LIMIT - OVERLAP)
    theirs = range(0, rows + BEYOND * LIMIT, LIMIT)
    return sorted({*ours, *theirs})


def envelope(records: list[bytes]) -> bytes:
    return b'{"users":[' + b",".join(records) + b"]}"


def render(folder: Path, rows: int) -> int:
    """Write each page plain and gzipped; how many bytes the pages of a client without overlap hold."""
    folder.mkdir(parents=True)
    records = [record(number) for number in range(rows)]
    sent = 0
    for offset in offsets(rows):
        cut = records[offset : offset + LIMIT]
        page = envelope(cut)
        (folder / f"{offset}.json").write_bytes(page)
        (folder / f"{offset}.json.gz").write_bytes(igzip.compress(page, 2, mtime=0))
        (folder / f"{offset}.ods").write_bytes(b"[" + b",".join(cut) + b"]")
        if offset % LIMIT == 0 and cut:
            sent += len(page)
    return sent


if __name__ == "__main__":
    print(render(Path(sys.argv[1]), int(sys.argv[2])))
