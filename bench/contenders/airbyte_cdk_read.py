"""A declarative source of the Airbyte CDK, `read` to stdout, which is a file. URL ROWS OUT"""

import json
import sys
from pathlib import Path

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

url, out = sys.argv[1], Path(sys.argv[3])
manifest = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["users"]},
    "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 2},
    "streams": [
        {
            "type": "DeclarativeStream",
            "name": "users",
            "primary_key": ["sourcedId"],
            "schema_loader": {
                "type": "InlineSchemaLoader",
                "schema": {"type": "object", "additionalProperties": True, "properties": {}},
            },
            "retriever": {
                "type": "SimpleRetriever",
                "requester": {
                    "type": "HttpRequester",
                    "url_base": url,
                    "path": "/users",
                    "http_method": "GET",
                },
                "record_selector": {
                    "type": "RecordSelector",
                    "extractor": {"type": "DpathExtractor", "field_path": ["users"]},
                },
                "paginator": {
                    "type": "DefaultPaginator",
                    "page_size_option": {
                        "type": "RequestOption",
                        "inject_into": "request_parameter",
                        "field_name": "limit",
                    },
                    "page_token_option": {
                        "type": "RequestOption",
                        "inject_into": "request_parameter",
                        "field_name": "offset",
                    },
                    "pagination_strategy": {
                        "type": "OffsetIncrement",
                        "page_size": 100,
                        "inject_on_first_request": True,
                    },
                },
            },
        }
    ],
    "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
}
stream = {
    "name": "users",
    "json_schema": {"type": "object"},
    "supported_sync_modes": ["full_refresh"],
}
catalog = {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}
(out / "catalog.json").write_text(json.dumps(catalog))
(out / "config.json").write_text("{}")
words = ["read", "--config", str(out / "config.json"), "--catalog", str(out / "catalog.json")]
launch(ConcurrentDeclarativeSource(catalog=None, config={}, state=None, source_config=manifest), words)
