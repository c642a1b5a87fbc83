"""An origin that is no bottleneck: nginx serves a roster of users that was rendered page by page.

Pages of 100 records of about 1 KB, in order of id, plain and packed beforehand. Every offset that anybody
asks for is a file: steps of 100 for those who page plainly, of 98 for ours, whose windows share two rows.
A second, smaller roster lies beside the first, for contenders that would take minutes with the whole one.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PAGE = 100
STEPS = (PAGE, PAGE - 2)


FIRST = ["Åse", "Ingrid", "Kåre", "Ola", "Bjørn", "Sigrid", "Mohammed", "Anne Lise"]
LAST = ["O'Brien", "Østby", "Berg Hansen", "Nguyen", "Ødegård", "Kowalski"]

CONF = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 10000000; etag off;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  types {{ application/json json; }}
  open_file_cache max=60000 inactive=600s;
  server {{
    listen 127.0.0.1:{port};
    root {folder};
    location /token {{ default_type application/json; return 200 '{token}'; }}
    {rosters}
  }}
}}
"""
ROSTER = """
    location /{size}/plain/ {{
      add_header X-Total-Count {rows}; rewrite ^ /{size}/users/$arg_offset.json break;
    }}
    location /{size}/gzip/ {{
      gzip_static on; add_header X-Total-Count {rows}; rewrite ^ /{size}/users/$arg_offset.json break;
    }}
    location /{size}/edfi/ {{ default_type application/json; rewrite ^ /{size}/about.json break; }}
    location /{size}/edfi/data/ {{
      add_header Total-Count {rows}; rewrite ^ /{size}/list/$arg_offset.json break;
    }}
    location /{size}/edfi/dependencies {{
      default_type application/json;
      return 200 '[{{"resource": "/ed-fi/users", "order": 1, "operations": ["Create"]}}]';
    }}
    location /{size}/edfi/swagger {{
      default_type application/json;
      return 200 '{{"paths": {{"/ed-fi/users": {{"get": {{"parameters": []}}}}}}, "definitions": {{}}}}';
    }}
    location /{size}/edfi/metadata {{
      default_type application/json;
      return 200 '[{{"name": "Resources", "endpointUri": "http://127.0.0.1:{port}/{size}/edfi/swagger"}}]';
    }}
"""
TOKEN = '{"access_token": "bench", "token_type": "Bearer", "expires_in": 3600}'


@dataclass(frozen=True, slots=True)
class Origin:
    """A running origin."""

    port: int
    rows: dict[str, int]
    """of each roster"""

    def base(self, size: str, packing: str) -> str:
        """Where a roster is asked for; `packing`: plain, gzip or edfi (bare lists, as Ed-Fi's APIs give)."""
        return f"http://127.0.0.1:{self.port}/{size}/{packing}"


def record(number: int, dice: random.Random) -> bytes:
    """A OneRoster 1.2 user of about 1 KB."""
    org = {
        "href": f"https://example.org/ims/oneroster/rostering/v1p2/orgs/org-{number % 500:04d}",
        "sourcedId": f"org-{number % 500:04d}",
        "type": "org",
    }
    user = {
        "sourcedId": f"{number:08x}-5a1e-4c3b-9d2f-{dice.getrandbits(48):012x}",
        "status": "active",
        "dateLastModified": f"2026-{1 + number % 11:02d}-{1 + number % 28:02d}T02:00:00.000Z",
        "metadata": {"grade": str(number % 10), "homeroom": f"{number % 30}A", "locale": "nb-NO"},
        "userMasterIdentifier": f"m{dice.getrandbits(40):012d}",
        "username": f"user{number:08d}",
        "userIds": [
            {"type": "Fed", "identifier": f"{dice.getrandbits(36):011d}"},
            {"type": "SIS", "identifier": str(number)},
        ],
        "enabledUser": "true",
        "givenName": dice.choice(FIRST),
        "familyName": dice.choice(LAST),
        "roles": [
            {
                "roleType": "primary",
                "role": "student",
                "org": org,
                "beginDate": "2026-08-15",
                "endDate": "2027-06-20",
            }
        ],
        "userProfiles": [],
        "primaryOrg": org,
        "email": f"user{number}.{dice.getrandbits(32):08x}@example.org",
        "sms": f"+479{dice.randrange(10**7):07d}",
        "phone": f"+472{dice.randrange(10**7):07d}",
        "agents": [],
        "grades": [f"{1 + number % 10:02d}"],
    }
    return json.dumps(user, ensure_ascii=False, separators=(",", ":")).encode()


def render(folder: Path, rows: dict[str, int]) -> None:
    """Write the pages of every roster; the smaller ones are beginnings of the largest."""
    dice = random.Random(4)  # the same roster each time
    records = [record(number, dice) for number in range(max(rows.values()))]
    for size, count in rows.items():
        users, lists = folder / size / "users", folder / size / "list"
        users.mkdir(parents=True)
        lists.mkdir()
        (folder / size / "about.json").write_text("{}")
        (lists / ".json").write_text("[]")  # a request without an offset asks for the count alone
        offsets = {offset for step in STEPS for offset in range(0, count + 2 * PAGE, step)}
        for offset in offsets:
            page = b",".join(records[offset : min(offset + PAGE, count)])
            body = b'{"users":[' + page + b"]}"
            (users / f"{offset}.json").write_bytes(body)
            (users / f"{offset}.json.gz").write_bytes(gzip.compress(body, 6, mtime=0))
            if offset % PAGE == 0:
                (lists / f"{offset}.json").write_bytes(b"[" + page + b"]")


@contextmanager
def serve(folder: Path, rows: dict[str, int]) -> Iterator[Origin]:
    """Render into `folder` and serve from there, for as long as it is wanted."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        raise SystemExit("nginx is missing: `apt-get install nginx-light`, or run `make bench` as root")
    words = [sys.executable, __file__, str(folder), json.dumps(rows)]
    subprocess.run(words, check=True)  # a process of its own: who is measured is forked from a small one
    port = _free_port()
    rosters = "".join(ROSTER.format(size=size, rows=count, port=port) for size, count in rows.items())
    conf = folder / "nginx.conf"
    conf.write_text(CONF.format(folder=folder, port=port, token=TOKEN, rosters=rosters))
    for path in (folder, *folder.rglob("*")):  # a master that is root has workers who are nobody
        path.chmod(0o755 if path.is_dir() else 0o644)
    process = subprocess.Popen([nginx, "-c", str(conf), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Origin(port, rows)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise SystemExit("nginx does not answer")


if __name__ == "__main__":
    render(Path(sys.argv[1]), json.loads(sys.argv[2]))
