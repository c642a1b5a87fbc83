"""A roster as a PIFU-IMS document, in pieces: what Flyt Skole's External API exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from harvester.emulator.roster import Record, Row
from harvester.emulator.school import School, role_of

NAMESPACE = "http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1"
SOURCE = "sas.kommune.example"
ROLES = {"student": "01", "teacher": "02"}
LEVELS = {
    "skoleeier": ("pifu-ims-go-org", 1),
    "skole": ("pifu-ims-go-org", 2),
    "undervisningsgruppe": ("pifu-ims-go-grp", 2),
}
"""Kind of a group -> its scheme and level, as the schema's enumerations have them."""


def document(school: School) -> Iterator[bytes]:
    """The whole export of a tenant; each piece ends with a record."""
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<enterprise xmlns="{NAMESPACE}">\n'
        '<properties lang="no"><datasource>emulator</datasource><target>lake</target><type>full</type>'
        "<datetime>2026-11-20T01:00:00</datetime></properties>\n"
    ).encode()
    for number, row in enumerate(school.rows("users") or ()):
        yield _person(number, row.value).encode()
    for row in school.rows("orgs") or ():
        yield _group(row, "skoleeier" if row.value.get("type") == "district" else "skole", "parent").encode()
    for row in school.rows("classes") or ():
        yield _group(row, "undervisningsgruppe", "school").encode()
    enrolled: dict[str, list[Record]] = {}
    for row in school.rows("enrollments") or ():
        enrolled.setdefault(str(row.value.get("class", {}).get("sourcedId")), []).append(row.value)
    for row in school.rows("classes") or ():
        if row.id in enrolled:
            yield _membership(row, enrolled[row.id]).encode()
    yield b"</enterprise>\n"


def _sourced(own: str, kind: str = "") -> str:
    attribute = f" sourcedidtype={quoteattr(kind)}" if kind else ""
    return f"<sourcedid{attribute}><source>{SOURCE}</source><id>{escape(own)}</id></sourcedid>"


def _clean(text: Any) -> str:
    """Text that XML can hold."""
    return escape("".join(letter for letter in str(text) if letter >= " " or letter in "\t\n"))


def _person(number: int, user: Record) -> str:
    own = str(user["sourcedId"])
    old = _sourced(f"old-{number}", "Old") if number % 9 == 4 else ""
    password = ' password="5f4dcc3b" pwencryptiontype="MD5"' if number % 11 == 0 else ""
    comment = '<comments lang="no">Skjermet &amp; hemmelig</comments>' if number % 13 == 5 else ""
    extension = (
        f'<extension><pifu_email type="personEmailPrivate" priority="1">{number}@home.example</pifu_email>'
        "</extension>"
        if number % 5 == 0
        else ""
    )
    email = f"<email>{_clean(user['email'])}</email>" if user.get("email") else ""
    given, family = _clean(user.get("givenName")), _clean(user.get("familyName"))
    return (
        f'<person recstatus="1">{comment}{old}{_sourced(own, "New" if old else "")}'
        f'<userid useridtype="personNIN">000000{number:05d}</userid>'
        f'<userid useridtype="username"{password}>{_clean(user.get("username"))}</userid>'
        f"<name><fn>{given} {family}</fn><n><family>{family}</family><given>{given}</given></n></name>"
        f"<demographics><gender>{number % 2 + 1}</gender></demographics>"
        f"{email}"
        f'<tel teltype="1">+47000{number:05d}</tel><tel teltype="3">+47900{number:05d}</tel>'
        f"<adr><street>Gate {number}</street><street>Oppgang B</street><pcode>0001</pcode></adr>"
        f"{extension}</person>\n"
    )


def _group(row: Row, kind: str, parent: str) -> str:
    """A group of the schema's `kind`, below what its member `parent` refers to; the top lies below itself."""
    scheme, level = LEVELS[kind]
    title = str(row.value.get("title") or row.value.get("name") or "")
    above = row.value.get(parent)
    own = str(above["sourcedId"]) if isinstance(above, dict) else row.id
    return (
        f"<group>{_sourced(row.id)}<grouptype><scheme>{scheme}</scheme>"
        f'<typevalue level="{level}">{kind}</typevalue></grouptype>'
        f"<description><short>{_clean(title[:60])}</short><long>{_clean(title)}</long></description>"
        f'<relationship relation="1">{_sourced(own)}<label>parent</label></relationship></group>\n'
    )


def _membership(row: Row, enrollments: list[Record]) -> str:
    members = "".join(
        f"<member>{_sourced(str(enrollment['user']['sourcedId']))}<idtype>1</idtype>"
        f'<role roletype="{ROLES.get(role_of(enrollment), "01")}"><status>1</status>'
        f"{_since(enrollment.get('beginDate'))}</role></member>"
        for enrollment in enrollments
    )
    return f"<membership>{_sourced(row.id)}{members}</membership>\n"


def _since(date: str | None) -> str:
    """The schema wants a date or nothing."""
    return f'<timeframe><begin restrict="0">{date}</begin></timeframe>' if date else ""
