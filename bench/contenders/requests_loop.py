"""The script that everybody writes first: requests, page after page, one line a record.

requests_loop.py URL ROWS FOLDER json|orjson
"""

import json
import sys
from pathlib import Path

import orjson
import requests


def main(url: str, rows: int, folder: str, codec: str) -> None:
    with requests.Session() as session, (Path(folder) / "users.ndjson").open("wb") as file:
        for offset in range(0, rows, 100):
            response = session.get(url, params={"limit": 100, "offset": offset}, timeout=60)
            response.raise_for_status()
            if codec == "orjson":
                for record in orjson.loads(response.content)["users"]:
                    file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            else:
                for record in response.json()["users"]:
                    file.write(json.dumps(record).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
