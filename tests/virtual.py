"""An event loop on a virtual clock: time stands still while anything is ready, then jumps to the next timer.

    @pytest.fixture
    def anyio_backend() -> tuple[str, dict[str, object]]:
        return virtual.BACKEND

Waiting costs nothing, the same test always takes the same turns, and a hang is an error at once instead of a
timeout. There is no real I/O on it; what would run in a thread runs in line.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")
EPOCH = 1_795_132_800.0
"""2026-11-20 00:00 UTC: the wall clock's reading when the virtual one is at 0."""


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: everybody waits for somebody else."""


class _Selector:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            tasks = sorted(task.get_name() for task in asyncio.all_tasks(self._loop))
            raise DeadlockError(f"nothing is ready and no timer is set; waiting: {', '.join(tasks)}")
        self._loop.now += max(0.0, timeout)
        return []

    def close(self) -> None: ...


class VirtualLoop(asyncio.BaseEventLoop):
    """`BaseEventLoop` needs of a subclass: a selector, what to do with its events, and how to be woken."""

    def __init__(self, dice: random.Random | None = None) -> None:
        """`dice`: let tasks that are ready at the same moment take their turns in any order."""
        super().__init__()
        self.now = 0.0
        self._dice = dice
        self._selector = _Selector(self)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if self._dice is not None and len(self._ready) > 1:
            steps = [i for i, handle in enumerate(self._ready) if _is_step(handle)]
            shuffled = self._dice.sample(steps, len(steps))
            ready = list(self._ready)
            for place, other in zip(steps, shuffled, strict=True):
                self._ready[place] = ready[other]
        super()._run_once()

    def timers(self) -> int:
        """How many timers are set and not cancelled."""
        return sum(not timer.cancelled() for timer in self._scheduled)

    def run_in_executor(self, executor: Any, work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(work(*args))
        except BaseException as error:  # as a thread would hand it over
            future.set_exception(error)
        return future

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        """Nobody sends signals here."""

    def remove_signal_handler(self, sig: int) -> bool:
        return True

    def _process_events(self, events: list[object]) -> None: ...

    def _write_to_self(self) -> None: ...


def _is_step(handle: asyncio.Handle) -> bool:
    """Whether a handle is a task's turn. Protocols' callbacks keep their order, as a kernel would."""
    return type(getattr(handle, "_callback", None)).__name__ in (
        "TaskStepMethWrapper",
        "TaskWakeupMethWrapper",
    )


class VirtualClock:
    """The `Clock` of a running `VirtualLoop`."""

    def __init__(self, epoch: float = EPOCH) -> None:
        self.epoch = epoch

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self.epoch + self.now()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(max(0.0, seconds))


BACKEND: tuple[str, dict[str, object]] = ("asyncio", {"loop_factory": VirtualLoop})
"""For a test module's `anyio_backend` fixture."""


def run(main: Callable[[], Coroutine[Any, Any, T]], dice: random.Random | None = None) -> T:
    """Run to the end on a loop of its own: for property tests and simulations."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(dice)) as runner:
        return runner.run(main())
