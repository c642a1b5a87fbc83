"""The Airbyte CDK: a declarative source, read by its own entrypoint, its messages into a file.

airbyte_source.py URL ROWS FOLDER
"""

import json
import os
import sys
from pathlib import Path

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

CATALOG = {
    "streams": [
        {
            "stream": {"name": "users", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}


def manifest(url: str) -> dict[str, object]:
    option = {"type": "RequestOption", "inject_into": "request_parameter"}
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["users"]},
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "users",
                "primary_key": "sourcedId",
                "schema_loader": {"type": "InlineSchemaLoader", "schema": {}},
                "retriever": {
                    "type": "SimpleRetriever",
                    "requester": {"type": "HttpRequester", "url_base": url, "path": "", "http_method": "GET"},
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": ["users"]},
                    },
                    "paginator": {
                        "type": "DefaultPaginator",
                        "page_size_option": {**option, "field_name": "limit"},
                        "page_token_option": {**option, "field_name": "offset"},
                        "pagination_strategy": {
                            "type": "OffsetIncrement",
                            "page_size": 100,
                            "inject_on_first_request": True,
                        },
                    },
                },
            }
        ],
    }


def main(url: str, folder: Path) -> None:
    config, catalog = folder / "config.json", folder / "catalog.json"
    config.write_text("{}")
    catalog.write_text(json.dumps(CATALOG))
    source = ConcurrentDeclarativeSource(catalog=None, config={}, state=[], source_config=manifest(url))
    with (folder / "users.jsonl").open("w") as file:
        os.dup2(file.fileno(), 1)  # its print buffer goes to the original standard output
        launch(source, ["read", "--config", str(config), "--catalog", str(catalog)])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[3]))
