"""A OneRoster CSV bundle (binding 1.1 or 1.2) as a tenant: each line becomes the REST API's record.

The mapping: an empty cell is no member; `xSourcedId` becomes the GUIDRef `x`, `xSourcedIds` a list of them;
cells of several values are split at commas, `metadata.x` goes into `metadata`. roles.csv and userProfiles.csv
(1.2) become `roles` and `userProfiles` of their users, classResources.csv and its kin `resources`.
manifest.csv tells the version; a head line that stands there twice, as one generator writes it, does no harm.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harvester.emulator.roster import Record, Row

LISTS = frozenset({"grades", "subjects", "subjectCodes", "periods", "learningObjectiveSet", "roles"})
RENAMED = {
    "orgSourcedIds": "orgs",
    "termSourcedIds": "terms",
    "agentSourcedIds": "agents",
    "resourceSourcedIds": "resources",
}
KINDS = {
    "parent": "",  # of the collection itself
    "school": "org",
    "org": "org",
    "primaryOrg": "org",
    "schoolYear": "academicSession",
    "gradingPeriod": "academicSession",
    "student": "user",
    "terms": "academicSession",
    "orgs": "org",
    "agents": "user",
    "resources": "resource",
    "parentAssessmentLineItem": "assessmentLineItem",
}
PLURALS = {"class": "classes", "category": "categories"}
ADMIN = ("sourcedId", "status", "dateLastModified", "userSourcedId")
"""Columns of roles and profiles that have no place in a user's record."""
FILES = (
    "academicSessions", "categories", "classes", "courses", "demographics", "enrollments", "lineItems",
    "orgs", "resources", "results", "users", "scoreScales", "assessmentLineItems", "assessmentResults",
)  # fmt: skip


@dataclass(frozen=True)
class CsvBundle:
    """The bundle in a folder. Raises `ValueError` naming file and line."""

    folder: Path

    @property
    def version(self) -> str:
        """`1.1` or `1.2`, as manifest.csv says; 1.1 without one."""
        for line in self._lines("manifest"):
            if line.get("propertyName") == "oneroster.version":
                return line.get("value", "")
        return "1.1"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._tables)

    def collection(self, name: str) -> list[Row]:
        return self._tables.get(name, [])

    @cached_property
    def _tables(self) -> dict[str, list[Row]]:
        tables = {name: self._rows(name) for name in FILES if (self.folder / f"{name}.csv").exists()}
        if not tables:
            raise ValueError(f"{self.folder} holds no OneRoster CSV bundle: no users.csv, orgs.csv, ...")
        return tables

    def _rows(self, name: str) -> list[Row]:
        extra = self._of_users() if name == "users" else {}
        for own, references in self._resources_of(name).items():
            extra.setdefault(own, {})["resources"] = references
        rows = []
        for line in self._lines(name):
            record = record_of(line, name)
            own = str(record.get("sourcedId") or record.get("userSourcedId") or "")
            if not own:
                raise ValueError(f"{name}.csv has a line without a sourcedId")
            record |= extra.get(own, {})
            text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
            rows.append(Row(own, record, text))
        return sorted(rows, key=lambda row: row.id)

    def _of_users(self) -> dict[str, Record]:
        """What 1.2 keeps of users in files of their own."""
        found: dict[str, Record] = {}
        for name in ("roles", "userProfiles"):
            for line in self._lines(name):
                entry = record_of({k: v for k, v in line.items() if k not in ADMIN}, name)
                if name == "userProfiles":
                    entry = _profile(line["sourcedId"], entry)
                elif "userProfile" in entry:
                    entry["userProfile"] = line["userProfileSourcedId"]  # no GUIDRef: an identifier
                found.setdefault(line.get("userSourcedId", ""), {}).setdefault(name, []).append(entry)
        return found

    def _resources_of(self, collection: str) -> dict[str, list[Record]]:
        """Which resources a class, course or user has, from its file of links."""
        kind = {"classes": "class", "courses": "course", "users": "user"}.get(collection, "")
        found: dict[str, list[Record]] = {}
        for line in self._lines(f"{kind}Resources") if kind else ():
            reference = _ref("resource", line["resourceSourcedId"], collection)
            found.setdefault(line[f"{kind}SourcedId"], []).append(reference)
        return found

    def _lines(self, name: str) -> Iterator[dict[str, str]]:
        path = self.folder / f"{name}.csv"
        if not path.exists():
            return
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            try:
                for line in reader:
                    if None in line or None in line.values():
                        raise ValueError(
                            f"{path.name}, line {reader.line_num}: not as many cells as the head"
                        )
                    if any(key != value for key, value in line.items()):  # the head again
                        yield line
            except csv.Error as error:
                raise ValueError(f"{path.name}, line {reader.line_num + 1}: {error}") from None


def record_of(line: dict[str, str], collection: str) -> Record:
    """One line as a record."""
    record: Record = {}
    for column, cell in line.items():
        if not cell:
            continue
        if column.startswith("metadata."):
            record.setdefault("metadata", {})[column.removeprefix("metadata.")] = cell
        elif column.endswith("SourcedIds"):
            name = RENAMED.get(column, column.removesuffix("SourcedIds"))
            record[name] = [_ref(name, own, collection) for own in _values(cell)]
        elif column.endswith("SourcedId") and column != "sourcedId":
            name = column.removesuffix("SourcedId")
            record[name] = _ref(name, cell, collection)
        elif column == "userIds":
            record[column] = [_user_id(value) for value in _values(cell)]
        else:
            record[column] = _values(cell) if column in LISTS else cell
    return record


def _profile(own: str, entry: Record) -> Record:
    """A profile with its credential as the REST binding nests it."""
    renamed = {"credentialType": "type", "username": "username", "password": "password"}
    credential = {name: entry.pop(column) for column, name in renamed.items() if column in entry}
    return {"profileId": own, **entry, "credentials": [credential] if credential else []}


def _values(cell: str) -> list[str]:
    return [value.strip() for value in cell.split(",") if value.strip()]


def _user_id(value: str) -> Record:
    """`{Fed:456}` in 1.1 and 1.2."""
    kind, colon, own = value.strip("{}").partition(":")
    return {"type": kind, "identifier": own} if colon else {"type": "", "identifier": value}


def _ref(name: str, own: str, collection: str) -> Record:
    kind = KINDS.get(name, name) or collection.removesuffix("s")
    return {"href": f"/{PLURALS.get(kind, kind + 's')}/{own}", "sourcedId": own, "type": kind}
