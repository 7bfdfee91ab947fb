"""How a session stops when nothing is left to spend: the agent finishes, and then it pauses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import anyio

from ..core.errors import InvalidState, VoiceSessionError
from ..core.events import BudgetSpent
from ..core.floor.effects import FloorChanged
from ..core.instants import duration_us
from ..core.life import is_legal
from ..core.states import SessionState, TurnState
from ..ports.clock import Clock
from .bell import Bell
from .happenings import Failed
from .spender import Spawn, Spender

__all__ = ("Stopping",)

_HEARD: Final = frozenset({FloorChanged})


class Stopping:
    """Pauses one session, and lets the agent say its last words before.

    Args:
        longest: For how long.
        has_room: Asks the ledger whether there is room again by then.
        view: Returns the fields of the session that say what is left.

    Attributes:
        is_under_way: The agent is saying them, or the pause is being stored; nobody else is heard.
    """

    __slots__ = (
        "_clock",
        "_has_room",
        "_is_speaking",
        "_longest",
        "_silence",
        "_spender",
        "_view",
        "is_under_way",
    )

    def __init__(
        self,
        spender: Spender,
        clock: Clock,
        longest: timedelta,
        has_room: Callable[[], Awaitable[bool]],
        view: Callable[[], Awaitable[dict[str, Any]]],
    ) -> None:
        self._spender = spender
        self._clock = clock
        self._longest = longest
        self._has_room = has_room
        self._view = view
        self._is_speaking = False
        self._silence = Bell()
        self.is_under_way = False
        spender.listeners.add(self._hear, kinds=_HEARD)

    @property
    def is_possible(self) -> bool:
        """Whether the session is not stopping, not paused for this, and not ending already."""
        return not self.is_under_way and self._may_pause

    async def begin(self, spawn: Spawn | None) -> None:
        """Pause at once, or in the background where the agent has to finish: nobody waits for that."""
        self.is_under_way = True
        if self._is_speaking and self._longest and spawn is not None:
            spawn(self._pause_after_last_words)
            return
        try:
            await self._pause()
        finally:
            self.is_under_way = False

    # --- inside --------------------------------------------------------------------------------

    def _hear(self, happening: object) -> None:
        if isinstance(happening, FloorChanged):
            self._is_speaking = happening.state is TurnState.SPEAKING
            if not self._is_speaking:
                self._silence.ring()

    async def _pause_after_last_words(self) -> None:
        try:
            await self._last_words()
            is_live = self._spender.session.state is SessionState.LIVE
            if is_live and not await self._has_room():
                await self._pause()
        except VoiceSessionError as error:
            self._spender.listeners.tell(Failed(error))
        finally:
            self.is_under_way = False

    async def _last_words(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._cut_short, group.cancel_scope)
            while self._is_speaking:
                await self._silence.wait()
            group.cancel_scope.cancel()

    async def _cut_short(self, waiting: anyio.CancelScope) -> None:
        await self._clock.sleep_until(self._clock.monotonic_us() + duration_us(self._longest))
        waiting.cancel()

    async def _pause(self) -> None:
        try:
            left = await self._view()
            if self._may_pause:
                await self._spender.apply(self._event(), **left)
        except InvalidState:
            # Another one who found nothing was faster, or somebody has ended the session.
            if self._may_pause:
                raise

    @property
    def _may_pause(self) -> bool:
        """Not where the agent has hung up with its last words: nobody could resume that."""
        return not self._spender.is_ending and is_legal(self._spender.session, self._event())

    def _event(self) -> BudgetSpent:
        return BudgetSpent(at=self._clock.now())
