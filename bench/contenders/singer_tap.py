"""A Singer SDK tap, tuned: its msgspec writer, no type conformance, output straight into a file.

singer_tap.py URL ROWS FOLDER
"""

import sys
from pathlib import Path

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers._typing import TypeConformanceLevel
from singer_sdk.pagination import BaseOffsetPaginator
from singer_sdk.streams import RESTStream

FIELDS = [
    "status",
    "dateLastModified",
    "userMasterIdentifier",
    "username",
    "userIds",
    "enabledUser",
    "givenName",
    "familyName",
    "middleName",
    "preferredFirstName",
    "pronouns",
    "roles",
    "userProfiles",
    "primaryOrg",
    "email",
    "sms",
    "phone",
    "grades",
    "agents",
    "metadata",
]


class Pages(BaseOffsetPaginator):
    def has_more(self, response):
        return int(response.headers["X-Total-Count"]) > self.current_value + 100


class Users(RESTStream):
    name = "users"
    path = ""
    records_jsonpath = "$.users[*]"
    primary_keys = ("sourcedId",)
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    schema = th.PropertiesList(
        th.Property("sourcedId", th.StringType),
        *(th.Property(name, th.CustomType({})) for name in FIELDS),
    ).to_dict()

    @property
    def url_base(self):
        return self.config["url"]

    def parse_response(self, response):
        yield from response.json()["users"]

    def get_new_paginator(self):
        return Pages(start_value=0, page_size=100)

    def get_url_params(self, context, next_page_token):  # noqa: ARG002  the SDK calls it so
        return {"limit": 100, "offset": next_page_token or 0}


class Roster(Tap):
    name = "tap-roster"
    message_writer_class = MsgSpecWriter
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType)).to_dict()

    def discover_streams(self):
        return [Users(self)]


if __name__ == "__main__":
    with (Path(sys.argv[3]) / "users.jsonl").open("w") as sys.stdout:
        Roster(config={"url": sys.argv[1]}).sync_all()
