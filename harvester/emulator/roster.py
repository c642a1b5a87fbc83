"""Synthetic rosters that hang together: every reference leads to a record, the same seed to the same bytes.

A record is rendered once and served as those bytes. Some carry what a careless client breaks: big integers,
`1.10`, escapes, a duplicate key, null metadata, unknown fields.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

from harvester.emulator.names import FAMILY, GIVEN, SCHOOLS, SUBJECTS

Version = Literal["v1p1", "v1p2"]
Record = dict[str, Any]

STAMP = "2026-11-0{day}T0{hour}:00:00.000Z"
CLASS_SIZE = 20
TEACHER_EVERY = 12
ODD_IDS = {5: "odd/id +1", 18: "odd?id=2&x#å%2F"}
"""Number of a user -> an id that must be encoded in paths; at every second tenant of a provider."""


@dataclass(slots=True)
class Row:
    """One record: its id, what filters and sorts see, and its bytes as they are served."""

    id: str
    value: Record
    text: bytes


@dataclass(frozen=True)
class Roster:
    """One tenant's school life."""

    tenant: str
    seed: int
    rows: int
    version: Version

    def collection(self, name: str) -> list[Row]:
        """A flat collection in order of id; a name that this roster has not is empty."""
        rows: list[Row] = self._collections.get(name, [])
        return rows

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._collections)

    @cached_property
    def _collections(self) -> Mapping[str, list[Row]]:
        build = _Builder(self)
        build.everything()
        return {name: _rendered(records, name) for name, records in build.made.items()}


@dataclass
class _Builder:
    roster: Roster
    made: dict[str, list[Record]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.roster.seed}/{self.roster.tenant}")  # noqa: S311 - made-up persons
        self.second = self.roster.version == "v1p2"

    def everything(self) -> None:
        self.orgs()
        self.sessions()
        self.users()
        self.classes()
        self.enrollments()
        self.demographics()
        self.gradebook()
        self.resources()

    def add(self, name: str, record: Record) -> Record:
        """A record with what all have in common in front."""
        stamp = STAMP.format(day=self.rng.randrange(1, 10), hour=self.rng.randrange(10))
        whole = {"sourcedId": self.new_id(), "status": "active", "dateLastModified": stamp, **record}
        self.made.setdefault(name, []).append(whole)
        return whole

    def new_id(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def flag(self, value: bool) -> Any:
        return "true" if value else "false"

    def orgs(self) -> None:
        self.made["orgs"] = []
        district = self.add("orgs", {"name": f"{self.roster.tenant} kommune", "type": "district"})
        self.schools = [
            self.add(
                "orgs",
                {
                    "name": SCHOOLS[i % len(SCHOOLS)],
                    "type": "school",
                    "identifier": f"NO{i:05d}",
                    "parent": ref(district, "org"),
                },
            )
            for i in range(max(1, self.roster.rows // 400) + 1)
        ]

    def sessions(self) -> None:
        year = self.add("academicSessions", _session("2026/27", "schoolYear", "2026-08-17", "2027-06-18"))
        self.terms = []
        for title, start, end in (("Høst", "2026-08-17", "2026-12-18"), ("Vår", "2027-01-04", "2027-06-18")):
            term = _session(title, "semester" if self.second else "term", start, end)
            if self.second:
                term["type"] = "term"
            self.terms.append(self.add("academicSessions", {**term, "parent": ref(year, "academicSession")}))
        for term in self.terms:
            period = _session(f"{term['title']} 1", "gradingPeriod", term["startDate"], term["endDate"])
            self.add("academicSessions", {**period, "parent": ref(term, "academicSession")})
        self.year = year

    def users(self) -> None:
        self.students: list[Record] = []
        self.teachers: list[Record] = []
        self.made["users"] = []
        for i in range(self.roster.rows):
            role = "teacher" if i % TEACHER_EVERY == 0 else "student"
            user = self.add("users", self.user(i, role))
            if self.roster.tenant.endswith("-2"):
                user["sourcedId"] = ODD_IDS.get(i, user["sourcedId"])
            (self.teachers if role == "teacher" else self.students).append(user)

    def user(self, number: int, role: str) -> Record:
        given, family = self.rng.choice(GIVEN), self.rng.choice(FAMILY)
        school = self.schools[number % len(self.schools)]
        record: Record = {
            "username": f"u{number:06d}",
            "userIds": [{"type": "feide", "identifier": f"u{number}@{self.roster.tenant}.example"}],
            "enabledUser": self.flag(number % 50 != 7),
            "givenName": given,
            "familyName": family,
            "identifier": str(number),
            "email": f"u{number}@{self.roster.tenant}.example",
            "grades": [f"{number % 10 + 1:02d}"] if role == "student" else [],
        }
        if self.second:
            record["userMasterIdentifier"] = f"{self.roster.tenant}-{number}"
            login = {"type": "feide", "username": f"u{number:06d}"}
            profile = {"profileId": f"p{number}", "profileType": "LMS", "vendorId": "example"}
            record["userProfiles"] = [{**profile, "credentials": [login]}] if number % 3 == 0 else []
            record["primaryOrg"] = ref(school, "org")
            record["roles"] = [
                {"roleType": "primary", "role": role, "org": ref(school, "org"), "beginDate": "2026-08-17"}
            ]
        else:
            record["role"] = role
            record["orgs"] = [ref(school, "org")]
        return record

    def classes(self) -> None:
        self.made["courses"] = []
        self.made["classes"] = []
        courses = [
            self.add(
                "courses",
                {
                    "title": title,
                    "courseCode": f"C{i}",
                    "schoolYear": ref(self.year, "academicSession"),
                    "org": ref(self.schools[0], "org"),
                },
            )
            for i, title in enumerate(SUBJECTS)
        ]
        for i in range(max(2, self.roster.rows // CLASS_SIZE)):
            course = courses[i % len(courses)]
            self.add(
                "classes",
                {
                    "title": f"{course['title']} {i}",
                    "classCode": f"K{i}",
                    "classType": "scheduled",
                    "course": ref(course, "course"),
                    "school": ref(self.schools[i % len(self.schools)], "org"),
                    "terms": [ref(self.terms[i % 2], "academicSession")],
                },
            )

    def enrollments(self) -> None:
        classes = self.made["classes"]
        self.made["enrollments"] = []
        for role, users in (("student", self.students), ("teacher", self.teachers)):
            for i, user in enumerate(users):
                for step in range(2):
                    into = classes[(i + step * 7) % len(classes)]
                    self.add(
                        "enrollments",
                        {
                            "user": ref(user, "user"),
                            "class": ref(into, "class"),
                            "school": into["school"],
                            "role": role,
                            "primary": self.flag(role == "teacher" and step == 0),
                            "beginDate": "2026-08-17",
                            "endDate": "2027-06-18",
                        },
                    )

    def demographics(self) -> None:
        self.made["demographics"] = [
            {
                "sourcedId": student["sourcedId"],
                "status": "active",
                "dateLastModified": student["dateLastModified"],
                "birthDate": f"201{self.rng.randrange(10)}-0{self.rng.randrange(1, 10)}-11",
                "sex": self.rng.choice(["female", "male"]),
            }
            for student in self.students
        ]

    def gradebook(self) -> None:
        kinds = ["categories", "lineItems", "results"]
        if self.second:
            kinds += ["scoreScales", "assessmentLineItems", "assessmentResults"]
        for kind in kinds:
            self.made[kind] = []
        for one in self.made["classes"][:20]:
            category = self.add("categories", {"title": f"Prøver {one['classCode']}"})
            item = self.add(
                "lineItems",
                {
                    "title": "Prøve 1",
                    "class": ref(one, "class"),
                    "category": ref(category, "category"),
                    "resultValueMax": 6.0,
                },
            )
            for student in self.students[:5]:
                link = {"lineItem": ref(item, "lineItem"), "student": ref(student, "user")}
                self.add(
                    "results", {**link, "score": self.rng.randrange(1, 7), "scoreStatus": "fully graded"}
                )
            if self.second:
                self.add("scoreScales", {"title": "1-6", "type": "grade", "class": ref(one, "class")})
                assessment = self.add(
                    "assessmentLineItems", {"title": "Nasjonal prøve", "class": ref(one, "class")}
                )
                for student in self.students[:3]:
                    link = {
                        "assessmentLineItem": ref(assessment, "assessmentLineItem"),
                        "student": ref(student, "user"),
                    }
                    self.add("assessmentResults", {**link, "score": 3})

    def resources(self) -> None:
        self.made["resources"] = []
        for i, one in enumerate(self.made["classes"][:10]):
            resource = self.add(
                "resources", {"title": f"Lærebok {i}", "vendorResourceId": f"B{i}", "importance": "primary"}
            )
            one["resources"] = [ref(resource, "resource")]


def ref(record: Record, kind: str) -> Record:
    """A GUIDRef."""
    plural = {"class": "classes", "category": "categories"}.get(kind, f"{kind}s")
    return {"href": f"/{plural}/{record['sourcedId']}", "sourcedId": record["sourcedId"], "type": kind}


def _session(title: str, kind: str, start: str, end: str) -> Record:
    return {"title": title, "type": kind, "startDate": start, "endDate": end, "schoolYear": "2027"}


ODDITIES = (
    b',"metadata":{"big":12345678901234567890123,"price":1.10,"exp":1E5,"minus":-0}',
    b',"metadata":null,"unknownField":[[],{}]',
    b',"metadata":{"escaped":"\\u00e5\\/\\n","twice":1,"twice":2}',
    b',"metadata":{"line":"a\xe2\x80\xa8b","nul":"\\u0000"}',
)


def _rendered(records: list[Record], name: str) -> list[Row]:
    """Rows in order of id, as compact JSON; every seventh record of the larger collections is odd."""
    rows = []
    for i, record in enumerate(sorted(records, key=lambda record: str(record["sourcedId"]))):
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        if i % 7 == 3 and name in ("users", "orgs", "classes", "enrollments"):
            text = text[:-1] + ODDITIES[i // 7 % len(ODDITIES)] + b"}"
        rows.append(Row(str(record["sourcedId"]), record, text))
    return rows
