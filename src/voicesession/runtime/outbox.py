"""Words on their way to the store: in order, bounded, and never given up while we own them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from anyio.abc import TaskGroup

from ..core.errors import LeaseLost, StoreUnavailable, VoiceSessionError
from ..core.utterance import Utterance
from ..ports.clock import Clock
from .bell import Bell

__all__ = ("Outbox",)

_RETRY_US: Final = 500_000


class Outbox:
    """Stores utterances one after the other, while the conversation goes on.

    Args:
        tasks: Where it works whenever there is something to store.
        store: Makes one utterance durable.
        capacity: How many may wait before ``room`` makes callers wait.
        on_error: Told of what could not be stored yet, and of what never will be.
    """

    def __init__(
        self,
        store: Callable[[Utterance], Awaitable[object]],
        clock: Clock,
        tasks: TaskGroup,
        *,
        capacity: int,
        on_error: Callable[[VoiceSessionError], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._capacity = capacity
        self._on_error = on_error
        self._waiting: list[Utterance] = []
        self._changed = Bell()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the caller has to wait for ``room``."""
        return len(self._waiting) >= self._capacity

    def post(self, utterance: Utterance) -> None:
        """Queue *utterance*. Never blocks: who feeds the session heeds ``is_full``."""
        self._waiting.append(utterance)
        if len(self._waiting) == 1:
            self._tasks.start_soon(self._store_all)

    async def room(self) -> None:
        """Return once there is room again."""
        while self.is_full:
            await self._changed.wait()

    async def empty(self) -> None:
        """Return once everything posted is stored, or can never be."""
        while self._waiting:
            await self._changed.wait()

    async def _store_all(self) -> None:
        while self._waiting:
            await self._store_first()
            del self._waiting[0]
            self._changed.ring()

    async def _store_first(self) -> None:
        while True:
            try:
                await self._store(self._waiting[0])
            except StoreUnavailable as error:
                # Away for now; the supervisor ends our ownership if it stays so.
                self._on_error(error)
                await self._clock.sleep_until(self._clock.monotonic_us() + _RETRY_US)
            except LeaseLost:
                return
            except VoiceSessionError as error:
                self._on_error(error)
                return
            else:
                return
