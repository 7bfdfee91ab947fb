"""A loop that seems to have a core of its own, however busy the machine is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from math import ceil
from selectors import DefaultSelector, SelectorKey
from typing import Any, Final, TypeVar

from voicesession.runtime.clock import SystemClock

__all__ = ("LoopClock", "now", "on_a_core_of_its_own")

T = TypeVar("T")

_MS_A_SECOND: Final = 1_000
_US_A_SECOND: Final = 1_000_000


class _Impatient(DefaultSelector):
    """Waits for nothing: where the loop would sleep until a timer, it is that time at once."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        self.skipped_s += ceil(timeout * _MS_A_SECOND) / _MS_A_SECOND  # as coarse as epoll
        return super().select(0)


class _OwnCoreLoop(asyncio.SelectorEventLoop):
    """Its time is the CPU time of its thread, and what that has slept through.

    So it does not show what others do on the machine meanwhile, nor that caches grow cold where
    nothing is due. What the host of a virtual machine steals looks like our own work: play a scene
    often, and take the median. All that it waits for are timers: no other thread, no socket.
    """

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return time.thread_time() + self._impatient.skipped_s


class LoopClock(SystemClock):
    """Has the time from the loop in which it is asked."""

    def monotonic_us(self) -> int:
        return int(now() * _US_A_SECOND)


def now() -> float:
    """Return the time of the present loop, in seconds."""
    return asyncio.get_running_loop().time()


async def on_a_core_of_its_own(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Play *scene* in a loop, and a thread, of its own, which are the only ones that it sees."""

    def play() -> T:
        with asyncio.Runner(loop_factory=_OwnCoreLoop) as runner:
            return runner.run(scene())

    return await asyncio.to_thread(play)
