"""How long an engine may keep a session waiting."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from ..core.errors import ProviderUnavailable
from ..ports.clock import Clock
from .unwrapping import unwrapped

__all__ = ("Patience",)

_US_PER_S: Final = 1_000_000


class Patience:
    """Cancels its block once *engine* has owed something for too long.

        async with Patience(clock, "espeak", 10_000_000) as patience:
            async for piece in engine.speak(text):
                ...                 # our own time: nothing is owed
                patience.renew()    # from here on the next piece is

    Raises:
        ProviderUnavailable: It ran out; raised where the block ends.
    """

    def __init__(self, clock: Clock, engine: str, limit_us: int) -> None:
        self._clock = clock
        self._engine = engine
        self._limit_us = limit_us
        self._owed_since_us: int | None = None
        self._tasks: TaskGroup
        self._ran_out = False

    def renew(self) -> None:
        """Wait for something from now on."""
        self._owed_since_us = self._clock.monotonic_us()

    def rest(self) -> int:
        """Wait for nothing until ``renew``; return for how long the engine has kept us waiting."""
        since_us, self._owed_since_us = self._owed_since_us, None
        return 0 if since_us is None else self._clock.monotonic_us() - since_us

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self.renew()
        self._tasks.start_soon(self._watch)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        with unwrapped(exc):
            swallowed = await self._tasks.__aexit__(exc_type, exc, traceback)
        if self._ran_out and exc is not None:
            seconds = self._limit_us / _US_PER_S
            raise ProviderUnavailable(self._engine, f"nothing came for {seconds:g} s")
        return swallowed

    async def _watch(self) -> None:
        while True:
            since_us, now_us = self._owed_since_us, self._clock.monotonic_us()
            due_us = (now_us if since_us is None else since_us) + self._limit_us
            if due_us <= now_us:
                self._ran_out = True
                self._tasks.cancel_scope.cancel()
                return
            await self._clock.sleep_until(due_us)
