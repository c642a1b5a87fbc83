"""dlt's rest_api source to uncompressed JSON lines, nesting left as it is. URL ROWS OUT

As its performance guide has it: workers for the steps after the extraction, large buffers, no nested tables,
no compression, no telemetry. It writes every record three times (extract, normalize, load).
"""

import os
import sys
from pathlib import Path

url, out = sys.argv[1], Path(sys.argv[3])
os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
        "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
        "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
        "DATA_WRITER__FILE_MAX_ITEMS": "100000",
        "NORMALIZE__WORKERS": "2",
        "LOAD__WORKERS": "4",
        "DLT_DATA_DIR": str(out / "dlt"),
    }
)

import dlt  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

paginator = {"type": "offset", "limit": 100, "total_path": None, "stop_after_empty_page": True}
source = rest_api_source(
    {
        "client": {"base_url": url, "paginator": paginator},
        "resources": [
            {
                "name": "users",
                "max_table_nesting": 0,
                "endpoint": {"path": "users", "data_selector": "users"},
            }
        ],
    }
)
source.max_table_nesting = 0
pipeline = dlt.pipeline(
    "bench",
    destination=dlt.destinations.filesystem(bucket_url=(out / "lake").as_uri()),
    dataset_name="roster",
    pipelines_dir=str(out / "pipelines"),
)
if __name__ == "__main__":
    pipeline.run(source, loader_file_format="jsonl")
