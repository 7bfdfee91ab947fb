"""
How long an engine may keep a session waiting.

Every call of an engine is bound by this, and nearly none is ever late: so a call costs an alarm
(`voicesession.runtime.alarms`), which each answer puts off.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

import anyio

from ..core.errors import ProviderUnavailable
from .alarms import Alarm, Alarms

__all__ = ("Patience",)

_US_PER_S: Final = 1_000_000


class Patience:
    """Cancels its block once *engine* has owed something for too long.

        with Patience(alarms, "espeak", 10_000_000) as patience:
            async for piece in engine.speak(text):
                ...                 # our own time: nothing is owed
                patience.renew()    # from here on the next piece is

    Raises:
        ProviderUnavailable: It ran out; raised where the block ends.
    """

    __slots__ = ("_alarm", "_clock", "_engine", "_limit_us", "_scope")

    def __init__(self, alarms: Alarms, engine: str, limit_us: int) -> None:
        self._clock = alarms.clock
        self._engine = engine
        self._limit_us = limit_us
        self._scope = anyio.CancelScope()
        self._alarm = Alarm(alarms, self._scope.cancel)

    def renew(self) -> None:
        """Wait for something from now on."""
        self._alarm.set(self._clock.monotonic_us() + self._limit_us)

    def rest(self) -> int:
        """Wait for nothing until ``renew``; return for how long the engine has kept us waiting."""
        due_us = self._alarm.due_us
        if due_us is None:
            return 0
        self._alarm.rest()
        return self._clock.monotonic_us() - due_us + self._limit_us

    def __enter__(self) -> Self:
        self._scope.__enter__()
        self.renew()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._alarm.cancel()
        is_ours = self._scope.__exit__(exc_type, exc, traceback)
        if self._scope.cancel_called and (is_ours or isinstance(exc, Exception)):
            seconds = self._limit_us / _US_PER_S
            raise ProviderUnavailable(self._engine, f"nothing came for {seconds:g} s")
