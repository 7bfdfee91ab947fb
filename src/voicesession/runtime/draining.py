"""
How a worker leaves: it takes nothing new, waits for what it has in hand, and hands over the
rest, paused as ``shutdown``, for clients to resume on another worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import ClassVar

import anyio

from ..core.errors import Draining, InvalidValue, VoiceSessionError
from ..core.identity import SessionId
from ..core.instants import duration_us
from ..ports.clock import Clock
from .bell import Bell
from .happenings import Failed, SessionChanged
from .ownership import Ownership

__all__ = ("Drain",)


class Drain:
    """The leaving of one worker.

    Args:
        owned: What it has in hand, at any time.
        hand_over: Gives up one of those that are not over.
        on_error: Told which session could not be handed over, and why: its lease lapses, and
            then a sweeper finds it.

    Attributes:
        follows: What `follow` is to be told of.
    """

    follows: ClassVar[frozenset[type]] = frozenset({Failed, SessionChanged})

    def __init__(
        self,
        clock: Clock,
        owned: Mapping[SessionId, Ownership],
        hand_over: Callable[[Ownership], Awaitable[None]],
        on_error: Callable[[SessionId, Exception], None],
    ) -> None:
        self._clock = clock
        self._owned = owned
        self._hand_over = hand_over
        self._on_error = on_error
        self._changed = Bell()
        self._handing_over = anyio.Lock()
        self._until_us: int | None = None

    @property
    def is_on(self) -> bool:
        """Whether the worker is leaving."""
        return self._until_us is not None

    def check(self) -> None:
        """Do nothing, if new sessions are welcome.

        Raises:
            Draining: They are not any more.
        """
        if self.is_on:
            raise Draining("this worker is leaving; another one takes new sessions")

    def follow(self, _happening: object) -> None:
        """Take that something has happened to a session in hand."""
        self._changed.ring()

    async def run(self, within: timedelta) -> tuple[SessionId, ...]:
        """Leave; return which sessions had to be handed over.

        Whoever calls it again with less time shortens the wait for all.

        Raises:
            InvalidValue: *within* is negative.
        """
        if within < timedelta():
            raise InvalidValue("within", within, "a timedelta of 0 or more")
        until_us = self._clock.monotonic_us() + duration_us(within)
        self._until_us = until_us if self._until_us is None else min(until_us, self._until_us)
        self._changed.ring()
        await self._wait()
        async with self._handing_over:
            left = self._in_hand()
            async with anyio.create_task_group() as tasks:
                for ownership in left:
                    tasks.start_soon(self._leave, ownership)
        return tuple(ownership.session.id for ownership in left)

    def _in_hand(self) -> list[Ownership]:
        return [ownership for ownership in self._owned.values() if not ownership.is_over]

    async def _wait(self) -> None:
        """Return when all sessions in hand are over, or the time is."""
        while self._in_hand() and (until_us := self._until_us or 0) > self._clock.monotonic_us():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._ring_at, until_us)
                await self._changed.wait()
                tasks.cancel_scope.cancel()

    async def _ring_at(self, until_us: int) -> None:
        await self._clock.sleep_until(until_us)
        self._changed.ring()

    async def _leave(self, ownership: Ownership) -> None:
        try:
            await self._hand_over(ownership)
        except VoiceSessionError as error:
            self._on_error(ownership.session.id, error)
