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


def document(school: School) -> Iterator[bytes]:
    """The whole export of a tenant; each piece ends with a record."""
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<enterprise xmlns="{NAMESPACE}">\n'
        '<properties lang="no"><datasource>emulator</datasource><target>lake</target><type>full</type>'
        "<datetime>2026-11-20T01:00:00</datetime></properties>\n"
    ).encode()
    for number, row in enumerate(school.rows("users") or ()):
        yield _person(number, row.value).encode()
    for row in school.rows("schools") or ():
        yield _group(row, "skole", "school", None).encode()
    for row in school.rows("classes") or ():
        yield _group(row, "undervisningsgruppe", "class", row.value.get("school")).encode()
    for row in school.rows("classes") or ():
        members = school.enrolled("class", row.id)
        if members:
            yield _membership(row, members).encode()
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
        f'<extension><pifu_id type="feide"><pifu_value>{_clean(user.get("username"))}</pifu_value>'
        "<pifu_scope>local</pifu_scope><pifu_unique>true</pifu_unique></pifu_id></extension>"
        if number % 5 == 0
        else ""
    )
    given, family = _clean(user.get("givenName")), _clean(user.get("familyName"))
    return (
        f'<person recstatus="1">{comment}{old}{_sourced(own, "New" if old else "")}'
        f'<userid useridtype="personNIN">000000{number:05d}</userid>'
        f'<userid useridtype="username"{password}>{_clean(user.get("username"))}</userid>'
        f"<name><fn>{given} {family}</fn><n><family>{family}</family><given>{given}</given></n></name>"
        f"<demographics><gender>{number % 2 + 1}</gender></demographics>"
        f"<email>{_clean(user.get('email'))}</email>"
        f'<tel teltype="1">+47000{number:05d}</tel><tel teltype="3">+47900{number:05d}</tel>'
        f"<adr><street>Gate {number}</street><street>Oppgang B</street><pcode>0001</pcode></adr>"
        f"{extension}</person>\n"
    )


def _group(row: Row, scheme: str, level: str, parent: Any) -> str:
    title = _clean(row.value.get("title") or row.value.get("name"))
    above = str(parent["sourcedId"]) if isinstance(parent, dict) else "kommune"
    return (
        f"<group>{_sourced(row.id)}<grouptype><scheme>pifu-ims-{scheme}</scheme>"
        f'<typevalue level="{1 if level == "school" else 2}">{level}</typevalue></grouptype>'
        f"<description><short>{title[:60]}</short><long>{title}</long></description>"
        f'<relationship relation="1">{_sourced(above)}<label>{level}</label></relationship></group>\n'
    )


def _membership(row: Row, enrollments: list[Record]) -> str:
    members = "".join(
        f"<member>{_sourced(str(enrollment['user']['sourcedId']))}<idtype>1</idtype>"
        f'<role roletype="{ROLES.get(role_of(enrollment), "01")}"><status>1</status>'
        f'<timeframe><begin restrict="0">{enrollment.get("beginDate", "")}</begin></timeframe>'
        "</role></member>"
        for enrollment in enrollments
    )
    return f"<membership>{_sourced(row.id)}{members}</membership>\n"
