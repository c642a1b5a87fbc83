"""What most people write first: a loop of requests, json in, json out. URL ROWS OUT"""

import json
import sys
from pathlib import Path

import requests

url, rows, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
session = requests.Session()
with (out / "users.ndjson").open("w", encoding="utf-8") as lines:
    for offset in range(0, rows, 100):
        answer = session.get(f"{url}/users", params={"limit": 100, "offset": offset}, timeout=60)
        answer.raise_for_status()
        for user in answer.json()["users"]:
            lines.write(json.dumps(user) + "\n")
