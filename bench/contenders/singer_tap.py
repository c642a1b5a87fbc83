"""A tap of the Singer SDK, to stdout, which is a file. URL ROWS OUT

Tuned: msgspec for messages, orjson for answers, no conformance checks.
"""

import logging
import sys
from collections.abc import Iterable
from typing import Any

import orjson
import requests
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import BaseOffsetPaginator

URL = sys.argv[1]
logging.disable(logging.INFO)


class Pages(BaseOffsetPaginator):
    def has_more(self, response: requests.Response) -> bool:
        return len(response.content) > 20


class Users(RESTStream[int]):
    name = "users"
    path = "/users"
    url_base = URL
    primary_keys = ("sourcedId",)
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    schema = th.PropertiesList(th.Property("sourcedId", th.StringType), additional_properties=True).to_dict()

    def get_new_paginator(self) -> Pages:
        return Pages(0, 100)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002
        return {"limit": 100, "offset": next_page_token or 0}

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        yield from orjson.loads(response.content)["users"]


class Bench(Tap):
    name = "tap-bench"
    message_writer_class = MsgSpecWriter
    config_jsonschema = th.PropertiesList().to_dict()

    def discover_streams(self) -> list[Users]:
        return [Users(self)]


Bench(config={}).sync_all()
