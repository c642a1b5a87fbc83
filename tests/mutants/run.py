"""Does the suite notice? Each bug of `planted.py` alone, in a copy of the tree: its tests must fail.

python -m tests.mutants.run [WORD ...]: all bugs, or those whose description or file holds one of the words.
Exit code 0 if every one was caught.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.planted import BUGS, Bug

ROOT = Path(__file__).parents[2]
AT_ONCE = 2
LONGEST = 240
"""Seconds: tests that hang on a bug have caught it."""


def copy_of_the_tree(folder: Path) -> Path:
    for name in ("harvester", "tests", "docs", "configs", "bench"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def tests_fail(tree: Path, tests: Sequence[str], longest: float) -> bool:
    """Whether they do. Raises `RuntimeError` when they could not be run at all."""
    words = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "--timeout", "60", "-p", "no:cacheprovider"]
    here = [path for path in tests if (tree / path).exists()]
    if not here:
        raise RuntimeError(f"none of these tests exists: {' '.join(tests)}")
    # No bytecode: two edits within a second and of equal length would pass for the same file.
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*words, *here],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=longest,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 1


def plant(tree: Path, bug: Bug) -> str:
    """What became of one bug: `caught`, `SURVIVED`, or why it could not be tried."""
    path = tree / bug.file
    text = path.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        return f"NOT PLANTED: its text is there {text.count(bug.old)} times in {bug.file}"
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    try:
        return "caught" if tests_fail(tree, bug.tests.split(), LONGEST) else "SURVIVED"
    except RuntimeError as error:
        return f"NOT TRIED: {error}"
    finally:
        path.write_text(text, encoding="utf-8")


def main(words: Sequence[str]) -> int:
    bugs = [bug for bug in BUGS if not words or any(word in bug.breaks or word in bug.file for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            trees.put(copy_of_the_tree(Path(folder, str(number))))

        def one(bug: Bug) -> str:
            tree, began = trees.get(), time.monotonic()
            try:
                fate = plant(tree, bug)
            finally:
                trees.put(tree)
            print(f"{fate:8} {time.monotonic() - began:5.1f} s  {bug.breaks}", flush=True)
            return fate

        every_test = sorted({path for bug in bugs for path in bug.tests.split()})
        tree = trees.get()
        if tests_fail(tree, every_test, longest=1200):
            print("the tests fail without any bug planted: mend that first")
            return 1
        trees.put(tree)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fates = list(pool.map(one, bugs))
    caught = fates.count("caught")
    print(f"{caught}/{len(bugs)} planted bugs were caught")
    return 0 if caught == len(bugs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
