"""
How long an engine may keep a session waiting.

Every call of an engine is bound by this, and nearly none is ever late: so a call costs an entry
in a set, and one task of the worker looks when the first of them all may have run out.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

import anyio

from ..core.errors import ProviderUnavailable
from ..ports.clock import Clock

__all__ = ("Alarms", "Patience")

_US_PER_S: Final = 1_000_000
_NEVER_US: Final = 1 << 62


class Alarms:
    """Everybody's patience, and the task that ends it; all of one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._set: set[Patience] = set()
        self._asleep_until_us = _NEVER_US
        self._sleep: anyio.CancelScope | None = None

    async def run(self) -> None:
        """Go off when it is time, until cancelled."""
        while True:
            now_us = self.clock.monotonic_us()
            for patience in [each for each in self._set if each.due_us <= now_us]:
                patience.run_out()
            self._asleep_until_us = min((each.due_us for each in self._set), default=_NEVER_US)
            with anyio.CancelScope() as self._sleep:
                await self.clock.sleep_until(self._asleep_until_us)

    def add(self, patience: Patience) -> None:
        """Go off for *patience*, from now on."""
        self._set.add(patience)
        self.look_at(patience)

    def remove(self, patience: Patience) -> None:
        """Go off for it no more."""
        self._set.discard(patience)

    def look_at(self, patience: Patience) -> None:
        """Take that *patience* may run out at another time than it would have."""
        if patience.due_us < self._asleep_until_us and self._sleep is not None:
            self._sleep.cancel()


class Patience:
    """Cancels its block once *engine* has owed something for too long.

        async with Patience(alarms, "espeak", 10_000_000) as patience:
            async for piece in engine.speak(text):
                ...                 # our own time: nothing is owed
                patience.renew()    # from here on the next piece is

    Attributes:
        due_us: When it runs out, on the clock; far away while nothing is owed.

    Raises:
        ProviderUnavailable: It ran out; raised where the block ends.
    """

    def __init__(self, alarms: Alarms, engine: str, limit_us: int) -> None:
        self._alarms = alarms
        self._engine = engine
        self._limit_us = limit_us
        self._scope = anyio.CancelScope()
        self._ran_out = False
        self.due_us = _NEVER_US

    def renew(self) -> None:
        """Wait for something from now on."""
        self.due_us = self._alarms.clock.monotonic_us() + self._limit_us
        self._alarms.look_at(self)

    def rest(self) -> int:
        """Wait for nothing until ``renew``; return for how long the engine has kept us waiting."""
        due_us, self.due_us = self.due_us, _NEVER_US
        if due_us == _NEVER_US:
            return 0
        return self._alarms.clock.monotonic_us() - due_us + self._limit_us

    def run_out(self) -> None:
        """Cancel the block: it has waited long enough."""
        self._ran_out = True
        self.due_us = _NEVER_US
        self._scope.cancel()

    async def __aenter__(self) -> Self:
        self._scope.__enter__()
        self.due_us = self._alarms.clock.monotonic_us() + self._limit_us
        self._alarms.add(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._alarms.remove(self)
        is_ours = self._scope.__exit__(exc_type, exc, traceback)
        if self._ran_out and (is_ours or isinstance(exc, Exception)):
            seconds = self._limit_us / _US_PER_S
            raise ProviderUnavailable(self._engine, f"nothing came for {seconds:g} s")
