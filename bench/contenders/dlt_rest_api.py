"""dlt: its rest_api source to JSON lines on the local disk.

Tuned as its performance guide says: files rotated so that several workers share extraction, normalisation and
load; no compression; records kept as they are (nesting 0); no telemetry, no progress.

dlt_rest_api.py URL ROWS FOLDER
"""

import os
import sys

TUNED = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__WORKERS": "8",
    "NORMALIZE__WORKERS": "2",
    "NORMALIZE__START_METHOD": "fork",
    "LOAD__WORKERS": "4",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "DATA_WRITER__FILE_MAX_ITEMS": "20000",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "SCHEMA__MAX_TABLE_NESTING": "0",
}


def main(url: str, folder: str) -> None:
    import dlt  # noqa: PLC0415  reads its settings from the environment as it is imported
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    source = rest_api_source(
        {
            "client": {
                "base_url": url.removesuffix("users"),
                "paginator": {
                    "type": "offset",
                    "limit": 100,
                    "total_path": None,
                    "stop_after_empty_page": True,
                },
            },
            "resources": [{"name": "users", "endpoint": {"path": "users", "data_selector": "users"}}],
        },
        max_table_nesting=0,
        parallelized=True,
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=f"{folder}/.pipelines",
        destination=dlt.destinations.filesystem(f"{folder}/lake"),
        dataset_name="roster",
    )
    pipeline.run(source, loader_file_format="jsonl")


if __name__ == "__main__":
    os.environ.update(TUNED)
    main(sys.argv[1], sys.argv[3])
