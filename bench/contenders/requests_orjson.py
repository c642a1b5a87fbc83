"""The same loop with orjson. URL ROWS OUT"""

import sys
from pathlib import Path

import orjson
import requests

url, rows, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
session = requests.Session()
with (out / "users.ndjson").open("wb") as lines:
    for offset in range(0, rows, 100):
        answer = session.get(f"{url}/users", params={"limit": 100, "offset": offset}, timeout=60)
        answer.raise_for_status()
        for user in orjson.loads(answer.content)["users"]:
            lines.write(orjson.dumps(user) + b"\n")
