"""The system's time, and time that is turned by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Final

import anyio
from anyio.lowlevel import checkpoint

__all__ = ("SteppedClock", "SystemClock")

_US_PER_S: Final = 1_000_000
_NS_PER_US: Final = 1_000


class SystemClock:
    """The clock of this machine: the one place that reads it."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the place where it is asked

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // _NS_PER_US

    async def sleep_until(self, monotonic_us: int, /) -> None:
        await anyio.sleep(max(0.0, (monotonic_us - self.monotonic_us()) / _US_PER_S))


class SteppedClock:
    """Stands still until it is advanced: for audio faster than real time, and for tests.

    Those whose time comes in one step wake in the order in which the event loop likes to
    run them; where the order matters, make the steps small.
    """

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed_us = 0
        self._ties = count()
        self._sleepers: list[tuple[int, int, anyio.Event]] = []

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._elapsed_us)

    def monotonic_us(self) -> int:
        return self._elapsed_us

    async def sleep_until(self, monotonic_us: int, /) -> None:
        if monotonic_us <= self._elapsed_us:
            await checkpoint()
            return
        woken = anyio.Event()
        heappush(self._sleepers, (monotonic_us, next(self._ties), woken))
        await woken.wait()

    def advance(self, duration_us: int) -> None:
        """Let *duration_us* pass and wake whoever slept until then.

        Raises:
            ValueError: Time would run backwards.
        """
        if duration_us < 0:
            raise ValueError(f"cannot turn the clock back by {-duration_us} us")
        self._elapsed_us += duration_us
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_us:
            heappop(self._sleepers)[2].set()
