"""SIGKILL at every system call that changes a file, and every such call failing: then `--resume` is whole.

`make crash` tries them all; the default suite a few of each, the same ones each time.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.crash.victim import CALLS, Order, Stable
from tests.crash.wreck import TENANT, Site, serving, site

EVERY = bool(os.environ.get("EVERY_CALL"))
"""Set by `make crash`."""
SAMPLE = 3
FAILING = {
    "write": ("ENOSPC", "EIO"),
    "pwrite64": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO",),
    "ftruncate": ("EIO",),
    "rename": ("EIO", "ENOSPC"),
    "mkdir": ("ENOSPC", "EROFS"),
    "openat": ("EMFILE", "ENOSPC"),
    "unlink": ("EIO",),
    "unlinkat": ("EIO",),
    "rmdir": ("EIO",),
}
WORDS = ("run", "emulated.toml", "--progress", "none", "--resource", "users", "--resource", "orgs")
FAIR = (0, 7)
"""The run went on and all is well, or the disk is blamed."""

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="NO STRACE, SO NO SYSTEM CALL WAS KILLED OR FAILED: apt-get install strace, or make crash",
)


@dataclass
class Bench:
    """The emulator, the tool ready to be forked, what a calm run leaves and which calls it makes."""

    stable: Stable
    emulator: Any
    calm: dict[str, Any]
    calls: Counter[str]

    def try_at(self, folder: Path, call: str, number: int, inject: str) -> tuple[int, str]:
        """One run with something done to its `number`-th `call`, and the runs that mend it."""
        place = site(self.emulator, folder)
        death = self.stable.run(Order(WORDS, str(folder), f"-e trace={call} -e inject={call}:{inject}"))
        what = (
            f"{call} number {number}, {inject}: {traced(folder)[-1:]}, exit {death.code}, said {death.said}"
        )
        assert "Traceback" not in death.said, what
        assert "a bug of ours" not in death.said, what
        place.check_visible()
        if death.code == 0:
            assert place.contents() == self.calm, f"exit 0 with bad or missing data: {what}"
        self.mend(place, what)
        return death.code, death.said

    def mend(self, place: Site, what: str) -> None:
        if not place.ended():  # a run that has ended is not resumed: another one would begin
            again = self.stable.run(Order([*WORDS, "--resume"], str(place.folder)))
            assert again.code == 0, f"{what}; resumed: {again}"
        place.check_visible()
        place.check_left_over()
        assert place.contents() == self.calm, what
        runs = list((place.lake / "_runs").iterdir())
        assert len(runs) == 1, f"{what}: resumed into {len(runs)} runs"
        shutil.rmtree(place.folder)


def traced(folder: Path) -> list[str]:
    return (folder / "trace").read_text(errors="replace").splitlines()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    base = tmp_path_factory.mktemp("calm")
    with serving(rows=1200) as emulator, Stable() as stable:
        place = site(emulator, base / "first")
        death = stable.run(Order(WORDS, str(place.folder), f"-e trace={','.join(CALLS)}"))
        assert death.code == 0, death
        calls = Counter(match[1] for line in traced(place.folder) if (match := re.match(r"(\w+)\(", line)))
        calm = place.contents()
        assert calm[f"oneroster-v1p2/users/tenant={TENANT}/_manifest.json"]["records"] == 1200
        yield Bench(stable, emulator, calm, calls)


def numbers(count: int) -> list[int]:
    """All of them, or a few: the first, the last and between."""
    if EVERY or count <= SAMPLE:
        return list(range(1, count + 1))
    return sorted({1 + step * (count - 1) // (SAMPLE - 1) for step in range(SAMPLE)})


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_call_it_resumes_to_the_same_bytes(bench: Bench, tmp_path: Path, call: str) -> None:
    tried = 0
    for number in numbers(bench.calls[call]):
        code, _ = bench.try_at(tmp_path / f"{call}-{number}", call, number, f"signal=SIGKILL:when={number}")
        assert code == -9, f"{call} number {number} was never reached"
        tried += 1
    print(f"killed at {call}: {tried} of {bench.calls[call]} places, all resumed to identical bytes")


@pytest.mark.parametrize(
    ("call", "error"), [(call, error) for call, errors in FAILING.items() for error in errors]
)
def test_any_call_may_fail_and_nothing_is_claimed_that_is_not_so(
    bench: Bench, tmp_path: Path, call: str, error: str
) -> None:
    codes: Counter[int] = Counter()
    odd: list[str] = []
    for number in numbers(bench.calls[call]):
        code, said = bench.try_at(tmp_path / f"{call}-{number}", call, number, f"error={error}:when={number}")
        codes[code] += 1
        if code not in FAIR and not (code == 2 and "emulated.toml: can't be read" in said):
            odd.append(f"{call} number {number}: {error}: exit {code}: {said}")
    print(f"{call} fails with {error}: {sum(codes.values())} places, exit codes {dict(codes)}")
    assert not odd, "\n".join(odd)
