"""Words on their way to the store: in order, bounded, and never given up while we own them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from ..core.errors import LeaseLost, StoreUnavailable, VoiceSessionError
from ..core.utterance import Utterance
from ..ports.clock import Clock
from .bell import Bell
from .happenings import Failed

__all__ = ("Outbox",)

_RETRY_US: Final = 500_000
_TURNS_OF_A_REPLY: Final = 2
"""Of the event loop. A reply that was begun early is ready when the words are, and is out after
one; what an engine makes at once is out after two. They cost less than to store the words."""


class Outbox:
    """Stores utterances one after the other, while the conversation goes on.

    The answer to what was said goes first where it is ready; while somebody thinks of it, the
    words are stored.

    Args:
        tasks: Where it works from the first utterance on.
        store: Makes one utterance durable.
        capacity: How many may wait before ``room`` makes callers wait.
        tell: Told what could not be stored yet, and what never will be.
    """

    __slots__ = (
        "_capacity",
        "_clock",
        "_is_at_work",
        "_posted",
        "_store",
        "_stored",
        "_tasks",
        "_tell",
        "_waiting",
    )

    def __init__(
        self,
        store: Callable[[Utterance], Awaitable[object]],
        clock: Clock,
        tasks: TaskGroup,
        *,
        capacity: int,
        tell: Callable[[object], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._capacity = capacity
        self._tell = tell
        self._waiting: list[Utterance] = []
        self._is_at_work = False
        self._posted = Bell()
        self._stored = Bell()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the caller has to wait for ``room``."""
        return len(self._waiting) >= self._capacity

    def post(self, utterance: Utterance) -> None:
        """Queue *utterance*. Never blocks: who feeds the session heeds ``is_full``."""
        self._waiting.append(utterance)
        if not self._is_at_work:
            self._is_at_work = True
            self._tasks.start_soon(self._work)
        self._posted.ring()

    async def room(self) -> None:
        """Return once there is room again."""
        while self.is_full:
            await self._stored.wait()

    async def empty(self) -> None:
        """Return once everything posted is stored, or can never be."""
        while self._waiting:
            await self._stored.wait()

    async def _work(self) -> None:
        while True:
            for _ in range(_TURNS_OF_A_REPLY):
                await checkpoint()
            while self._waiting:
                await self._store_first()
                del self._waiting[0]
                self._stored.ring()
            await self._posted.wait()

    async def _store_first(self) -> None:
        while True:
            try:
                await self._store(self._waiting[0])
            except StoreUnavailable as error:
                # Away for now; the supervisor ends our ownership if it stays so.
                self._tell(Failed(error))
                await self._clock.sleep_until(self._clock.monotonic_us() + _RETRY_US)
            except LeaseLost:
                return
            except VoiceSessionError as error:
                self._tell(Failed(error))
                return
            else:
                return
