"""A tenant's tables and the relations between them: subsets (schools, students ...) and nesting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from harvester.emulator.roster import Record, Row


class Source(Protocol):
    """Where a tenant's flat collections come from: a roster, a CSV bundle, a folder of records."""

    def collection(self, name: str) -> list[Row]: ...

    @property
    def names(self) -> tuple[str, ...]: ...


ENVELOPES = {
    "terms": "academicSessions",
    "gradingPeriods": "academicSessions",
    "schools": "orgs",
    "students": "users",
    "teachers": "users",
}
"""Collections that come under another one's key."""

SINGULAR = {"classes": "class", "categories": "category"}


def envelope_of(collection: str) -> str:
    return ENVELOPES.get(collection, collection)


def singular_of(collection: str) -> str:
    """The key of a single object: `users` -> `user`, `students` -> `user`."""
    name = envelope_of(collection)
    return SINGULAR.get(name, name.removesuffix("s"))


class School:
    """One tenant's collections, flat, derived and nested."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._derived: dict[str, list[Row]] = {}

    def rows(self, name: str) -> list[Row] | None:
        """A collection; None where there is no such thing."""
        if name in self._source.names:
            return self._source.collection(name)
        if name not in ENVELOPES:
            return None
        if name not in self._derived:
            of = _SUBSETS[name]
            self._derived[name] = [row for row in self._source.collection(ENVELOPES[name]) if of(row.value)]
        return self._derived[name]

    def nested(self, parent: str, parent_id: str, child: str) -> list[Row] | None:
        """The child collection of one parent; None where there is no such relation, or no such parent."""
        relation = _NESTED.get((parent, child))
        if relation is None or all(row.id != parent_id for row in self.rows(parent) or ()):
            return None
        return relation(self, parent_id)

    def enrolled(self, key: str, value: str, role: str | None = None) -> list[Record]:
        """Enrollments whose `class` or `user` is `value`."""
        return [
            row.value
            for row in self.rows("enrollments") or ()
            if _id(row.value.get(key)) == value and role in (None, row.value.get("role"))
        ]


def _id(reference: Any) -> str:
    return str(reference.get("sourcedId", "")) if isinstance(reference, dict) else ""


def role_of(user: Record) -> str:
    """A user's role, as either version has it."""
    roles = user.get("roles")
    return str(roles[0].get("role", "")) if isinstance(roles, list) and roles else str(user.get("role", ""))


def _orgs_of(user: Record) -> set[str]:
    references = user.get("orgs") or [role.get("org") for role in user.get("roles") or ()]
    return {_id(reference) for reference in references}


_SUBSETS: dict[str, Callable[[Record], bool]] = {
    "terms": lambda r: r.get("type") in ("term", "semester"),
    "gradingPeriods": lambda r: r.get("type") == "gradingPeriod",
    "schools": lambda r: r.get("type") == "school",
    "students": lambda r: role_of(r) == "student",
    "teachers": lambda r: role_of(r) == "teacher",
}

Relation = Callable[[School, str], list[Row]]


def _where(child: str, test: Callable[[Record, str], bool]) -> Relation:
    return lambda school, parent: [row for row in school.rows(child) or () if test(row.value, parent)]


def _members(role: str) -> Relation:
    def relation(school: School, one: str) -> list[Row]:
        ids = {_id(enrollment.get("user")) for enrollment in school.enrolled("class", one, role)}
        return [row for row in school.rows("users") or () if row.id in ids]

    return relation


def _classes_of_user(school: School, user: str) -> list[Row]:
    ids = {_id(enrollment.get("class")) for enrollment in school.enrolled("user", user)}
    return [row for row in school.rows("classes") or () if row.id in ids]


def _results_of_class(school: School, one: str) -> list[Row]:
    items = {row.id for row in school.rows("lineItems") or () if _id(row.value.get("class")) == one}
    return [row for row in school.rows("results") or () if _id(row.value.get("lineItem")) in items]


def _categories_of_class(school: School, one: str) -> list[Row]:
    items = [row.value for row in school.rows("lineItems") or () if _id(row.value.get("class")) == one]
    ids = {_id(item.get("category")) for item in items}
    return [row for row in school.rows("categories") or () if row.id in ids]


def _resources_of(collection: str) -> Relation:
    def relation(school: School, one: str) -> list[Row]:
        owner = next((row.value for row in school.rows(collection) or () if row.id == one), {})
        ids = {_id(reference) for reference in owner.get("resources") or ()}
        return [row for row in school.rows("resources") or () if row.id in ids]

    return relation


def _in_terms(record: Record, term: str) -> bool:
    return term in {_id(reference) for reference in record.get("terms") or ()}


_NESTED: dict[tuple[str, str], Relation] = {
    ("schools", "classes"): _where("classes", lambda r, i: _id(r.get("school")) == i),
    ("schools", "courses"): _where("courses", lambda r, i: _id(r.get("org")) == i),
    ("schools", "enrollments"): _where("enrollments", lambda r, i: _id(r.get("school")) == i),
    ("schools", "students"): _where("students", lambda r, i: i in _orgs_of(r)),
    ("schools", "teachers"): _where("teachers", lambda r, i: i in _orgs_of(r)),
    ("schools", "terms"): _where("terms", lambda _r, _i: True),
    ("courses", "classes"): _where("classes", lambda r, i: _id(r.get("course")) == i),
    ("courses", "resources"): _resources_of("courses"),
    ("classes", "students"): _members("student"),
    ("classes", "teachers"): _members("teacher"),
    ("classes", "lineItems"): _where("lineItems", lambda r, i: _id(r.get("class")) == i),
    ("classes", "results"): _results_of_class,
    ("classes", "categories"): _categories_of_class,
    ("classes", "resources"): _resources_of("classes"),
    ("students", "classes"): _classes_of_user,
    ("teachers", "classes"): _classes_of_user,
    ("users", "classes"): _classes_of_user,
    ("users", "resources"): _resources_of("users"),
    ("terms", "classes"): _where("classes", _in_terms),
    ("terms", "gradingPeriods"): _where("gradingPeriods", lambda r, i: _id(r.get("parent")) == i),
}
