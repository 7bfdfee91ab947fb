"""The scenes of ``runtime.py`` for the frameworks of others, whatever a call is called there."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from statistics import quantiles
from typing import Final, Protocol

from figures import Figures

__all__ = ("FRAME_S", "RATE_HZ", "Call", "measure")

RATE_HZ: Final = 16_000
FRAME_S: Final = 0.02
_TURNS: Final = 5
_CALM_S: Final = 0.5
"""Until the tasks of a call have begun, or are done."""


class Call(Protocol):
    """One session, and both ends of its audio.

    Attributes:
        heard: Set by the first frame of an answer.
    """

    heard: asyncio.Event

    async def open(self) -> None: ...

    async def stay_silent(self) -> None:
        """Send a frame in which nobody speaks."""
        ...

    async def finish(self) -> None:
        """Say that the user has finished."""
        ...

    async def aclose(self) -> None: ...


@asynccontextmanager
async def _calls(make: Callable[[], Call], count: int) -> AsyncGenerator[Sequence[Call]]:
    calls = [make() for _ in range(count)]
    for call in calls:
        await call.open()
    try:
        yield calls
    finally:
        await asyncio.gather(*(call.aclose() for call in calls))


async def _sessions_a_core(make: Callable[[], Call], count: int, seconds: float) -> float:
    async def feed(number: int, call: Call) -> None:
        begin = time.perf_counter() + FRAME_S * number / count
        for frame in range(int(seconds / FRAME_S)):
            await asyncio.sleep(begin + frame * FRAME_S - time.perf_counter())
            await call.stay_silent()

    async with _calls(make, count) as calls:
        before = time.process_time()
        await asyncio.gather(*(feed(number, call) for number, call in enumerate(calls)))
        await asyncio.sleep(_CALM_S)
        return count * seconds / (time.process_time() - before)


async def _to_first_frame(make: Callable[[], Call], count: int) -> list[float]:
    took: list[float] = []

    async def talk(number: int, call: Call) -> None:
        await asyncio.sleep(number / count)
        for _ in range(_TURNS):
            for _ in range(50):
                await call.stay_silent()
                await asyncio.sleep(FRAME_S)
            call.heard.clear()
            before = time.perf_counter()
            await call.finish()
            await call.heard.wait()
            took.append(time.perf_counter() - before)

    async with _calls(make, count) as calls:
        await asyncio.gather(*(talk(number, call) for number, call in enumerate(calls)))
    return took


async def _weight(make: Callable[[], Call], count: int) -> tuple[float, float]:
    gc.collect()
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    async with _calls(make, count):
        await asyncio.sleep(_CALM_S)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tasks = len(asyncio.all_tasks()) - tasks
        tracemalloc.stop()
    return grown / count / 1024, tasks / count


async def measure(peer: str, make: Callable[[], Call], *, sessions: int, seconds: float) -> Figures:
    """Return the figures of a framework, under the names of ours with its own before them.

    Args:
        sessions: That are held at a time, where they are counted.
        seconds: For how long they are.
    """
    async with _calls(make, 2):  # what is made once
        pass
    hundredths = quantiles(await _to_first_frame(make, 10), n=100)
    idle_kib, idle_tasks = await _weight(make, 20)
    return {
        f"{peer}_sessions_a_core": await _sessions_a_core(make, sessions, seconds),
        f"{peer}_speech_end_to_first_frame_ms_p50": hundredths[49] * 1e3,
        f"{peer}_speech_end_to_first_frame_ms_p99": hundredths[98] * 1e3,
        f"{peer}_idle_kib": idle_kib,
        f"{peer}_idle_tasks": idle_tasks,
    }
