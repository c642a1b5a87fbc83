"""What the figures were measured on, and with which versions: nothing that names a place or a person."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from catalogue import Contender


def description() -> dict[str, str]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "origin": nginx(),
    }


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def nginx() -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    said = subprocess.run(
        ["nginx", "-v"], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    return said.stderr.strip().rpartition(" ")[2]


def version(contender: Contender) -> str:
    """The version of the package that the contender stands for, and its Python's."""
    code = (
        "import importlib.metadata, platform, sys;"
        "print(importlib.metadata.version(sys.argv[1]), platform.python_version())"
    )
    words = [str(contender.python), "-c", code, contender.package]
    package, python = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return f"{package}, Python {python}"
