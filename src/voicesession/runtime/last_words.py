"""Whether the agent speaks, and a way to let it finish."""

from __future__ import annotations

from datetime import timedelta

import anyio

from ..core.floor.effects import FloorChanged
from ..core.instants import duration_us
from ..core.states import TurnState
from ..ports.clock import Clock
from .bell import Bell

__all__ = ("LastWords",)


class LastWords:
    """Follows the floor of one session."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._silence = Bell()
        self.is_speaking = False

    def hear(self, happening: object) -> None:
        """Take what the session tells."""
        if isinstance(happening, FloorChanged):
            self.is_speaking = happening.state is TurnState.SPEAKING
            if not self.is_speaking:
                self._silence.ring()

    async def wait(self, longest: timedelta) -> None:
        """Return once the agent is silent, but after *longest* in any case."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._give_up, longest, group.cancel_scope)
            while self.is_speaking:
                await self._silence.wait()
            group.cancel_scope.cancel()

    async def _give_up(self, longest: timedelta, waiting: anyio.CancelScope) -> None:
        await self._clock.sleep_until(self._clock.monotonic_us() + duration_us(longest))
        waiting.cancel()
