"""An origin that is no bottleneck: nginx over rendered pages, in a folder of its own, gone when we are."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

SERVICE = "/ims/oneroster/rostering/v1p2"
_TOKEN = '{"access_token":"bench","token_type":"bearer","expires_in":3600}'


@dataclass(frozen=True)
class Collection:
    """One size of the roster."""

    name: str
    rows: int
    bytes_sent: int
    """what a client is sent that asks for each row once"""


@dataclass(frozen=True)
class Origin:
    plain: int
    gzip: int
    collections: dict[str, Collection]

    def root(self, collection: str, gzip: bool) -> str:
        return f"http://127.0.0.1:{self.gzip if gzip else self.plain}/{collection}"

    def token_url(self, gzip: bool) -> str:
        return f"http://127.0.0.1:{self.gzip if gzip else self.plain}/token"


@contextmanager
def serving(sizes: dict[str, int]) -> Iterator[Origin]:
    """Render the collections and serve them until the block ends, whatever ends it."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        raise SystemExit("no nginx: `apt-get install nginx-light`, or let `make bench` try as root")
    with tempfile.TemporaryDirectory(prefix="bench-origin-") as name:
        folder = Path(name)
        collections = {name: rendered(folder / name, rows) for name, rows in sizes.items()}
        plain, gzip = free_ports()
        write_configuration(folder, plain, gzip, sizes)
        words = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL) as server:
            try:
                wait_for(server, plain, folder / "error.log")
                yield Origin(plain, gzip, collections)
            finally:
                server.terminate()


def rendered(folder: Path, rows: int) -> Collection:
    words = [sys.executable, str(Path(__file__).parent / "pages.py"), str(folder), str(rows)]
    said = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Collection(folder.name, rows, int(said))


def write_configuration(folder: Path, plain: int, gzip: int, sizes: dict[str, int]) -> None:
    template = Template((Path(__file__).parent / "nginx.conf").read_text())
    (folder / "nginx.conf").write_text(template.substitute(FOLDER=folder, PLAIN=plain, GZIP=gzip))
    per_size = Template((Path(__file__).parent / "locations.conf").read_text())
    locations = [
        per_size.substitute(FOLDER=folder, NAME=name, ROWS=rows, PLAIN=plain) for name, rows in sizes.items()
    ]
    token = f"location = /token {{ return 200 '{_TOKEN}'; }}\n"
    (folder / "locations.conf").write_text(token + "".join(locations))


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(100):
        if server.poll() is not None:
            raise SystemExit(f"nginx did not start: {log.read_text()}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("nginx did not answer within 5 s")
