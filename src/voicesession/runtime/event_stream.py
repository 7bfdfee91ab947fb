"""What happens in a session, for one who iterates over it instead of being called."""

from __future__ import annotations

from collections import deque
from typing import Self
from weakref import WeakSet

import anyio
from anyio.lowlevel import checkpoint

from ..core.errors import InvalidValue
from ..core.states import SessionState
from .happenings import EventsMissed, Listeners, SessionChanged

__all__ = ("EventStream", "EventStreams")


class EventStream:
    """An async iterator over happenings, from now until the session is over.

    Args:
        most: How many may wait to be taken. When there is no more room the oldest are
            dropped, and an `EventsMissed` stands in their place.

    Raises:
        InvalidValue: *most* is no whole number, or none may wait.
    """

    __slots__ = ("__weakref__", "_changed", "_is_closed", "_missed", "_most", "_waiting")

    def __init__(self, most: int) -> None:
        if type(most) is not int or most < 1:
            raise InvalidValue("most", most, "a whole number, 1 or more")
        self._most = most
        self._waiting: deque[object] = deque()
        self._missed = 0
        self._changed = anyio.Event()
        self._is_closed = False

    def tell(self, happening: object) -> None:
        """Add *happening*; never blocks."""
        if not self._is_closed:
            self._waiting.append(happening)
            if len(self._waiting) > self._most:
                self._waiting.popleft()
                self._missed += 1
            self._changed.set()
        if isinstance(happening, SessionChanged) and happening.new_state is SessionState.ENDED:
            self.close()

    def close(self) -> None:
        """End the iteration after what waits."""
        self._is_closed = True
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        await checkpoint()
        while not self._waiting:
            if self._is_closed:
                raise StopAsyncIteration
            self._changed = anyio.Event()
            await self._changed.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return EventsMissed(missed)
        return self._waiting.popleft()


class EventStreams:
    """The streams of one session that somebody still holds.

    Who breaks off an iteration just lets go of it: nothing is kept for them from then on.
    """

    __slots__ = ("_held", "_listeners")

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self._held: WeakSet[EventStream] | None = None

    def open(self, most: int) -> EventStream:
        """Return one more; see `EventStream`."""
        if self._held is None:
            self._held = WeakSet()
            self._listeners.add(self._tell)
        stream = EventStream(most)
        self._held.add(stream)
        return stream

    def close(self) -> None:
        """End them all, each after what waits in it."""
        for stream in self._held or ():
            stream.close()

    def _tell(self, happening: object) -> None:
        for stream in self._held or ():
            stream.tell(happening)
