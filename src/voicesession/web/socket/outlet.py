"""
Messages on their way out: in order, bounded, and never waiting for a client that does not read.

Nobody who has something to say ever waits here. A client that falls behind is warned; one that
does not read at all is left, before what waits for it fills the memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import anyio

from ...core.instants import duration_us
from ...ports.clock import Clock
from ...runtime.bell import Bell
from ...schemas.messages import ServerMessage
from .options import SocketOptions
from .port import Socket

__all__ = ("Outlet", "TooSlow")


class TooSlow(Exception):
    """The client does not read."""


class Outlet:
    """What one connection still has to send.

    Args:
        on_lag: Called when the oldest of what waits has waited for too long; once, until
            everything is sent.
        on_full: Called when more waits than may: nothing more is taken then.
    """

    def __init__(
        self,
        socket: Socket,
        clock: Clock,
        options: SocketOptions,
        *,
        on_lag: Callable[[], None],
        on_full: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._clock = clock
        self._options = options
        self._most_bytes = options.unsent_bytes
        self._lag_us = duration_us(options.lag)
        self._within_us = duration_us(options.sent_within)
        self._on_lag = on_lag
        self._on_full = on_full
        self._waiting: deque[tuple[int, str | bytes]] = deque()
        self._waiting_bytes = 0
        self._sending_since_us: int | None = None
        self._is_sending = True
        self._is_closed = False
        self._has_warned = False
        self._queued = Bell()
        self._emptied = Bell()

    def say(self, message: ServerMessage) -> None:
        """Queue a message. Never blocks."""
        self.put(message.model_dump_json(exclude_none=True))

    def put(self, frame: str | bytes) -> None:
        """Queue a frame. Never blocks."""
        self.add(frame)
        self._queued.ring()

    def add(self, frame: str | bytes) -> None:
        """Queue a frame without waking the task of `run`: the caller is about to `send_all`."""
        if self._waiting_bytes > self._most_bytes:
            return  # nobody will read it any more
        self._waiting.append((self._clock.monotonic_us(), frame))
        self._waiting_bytes += len(frame)
        if self._waiting_bytes > self._most_bytes:
            self._on_full()

    @property
    def patient_until_us(self) -> int:
        """When the client is too slow, should it not have taken by then what it is being sent.

        Whoever has the outlet looks now and then: a deadline for each frame costs more than the
        frame.
        """
        since_us = self._sending_since_us
        return (self._clock.monotonic_us() if since_us is None else since_us) + self._within_us

    def drop_audio(self) -> None:
        """Forget the audio that was not sent: nobody is to hear it any more."""
        kept = [(at_us, frame) for at_us, frame in self._waiting if isinstance(frame, str)]
        self._waiting = deque(kept)
        self._waiting_bytes = sum(len(frame) for _, frame in kept)

    async def deliver(self, messages: Iterable[ServerMessage]) -> None:
        """Send *messages* before all that waits, as fast as the client takes them.

        Each is made only when the one before is gone: there may be more than may wait. Nobody
        has to look meanwhile whether the client is too slow.

        Raises:
            SocketClosed: The client is gone.
            TooSlow: It does not read.
        """
        within_s = self._options.sent_within.total_seconds()
        for message in messages:
            with anyio.move_on_after(within_s) as sending:
                await self._socket.send(message.model_dump_json(exclude_none=True))
            if sending.cancelled_caught:
                raise TooSlow

    async def run(self, first: Iterable[ServerMessage] = ()) -> None:
        """Deliver *first*, then send whatever is queued, until cancelled.

        Raises:
            SocketClosed: The client is gone.
            TooSlow: It did not read what came *first*.
        """
        try:
            await self.deliver(first)
            self._is_sending = False
            while True:
                await self.send_all()
                await self._queued.wait()
        finally:
            self._is_closed = True
            self._emptied.ring()

    async def emptied(self) -> None:
        """Return once everything is sent, or nothing will be any more."""
        while not self._is_closed and (self._waiting or self._is_sending):
            await self._emptied.wait()

    async def send_all(self) -> None:
        """Send all that waits, in the caller's own task: a turn of the event loop earlier.

        Where another task is sending, that one goes on until nothing waits.

        Raises:
            SocketClosed: The client is gone.
        """
        if self._is_sending:
            return
        self._is_sending = True
        now_us = self._clock.monotonic_us()
        try:
            while self._waiting:
                queued_us, frame = self._waiting.popleft()
                self._waiting_bytes -= len(frame)
                self._sending_since_us = now_us
                await self._socket.send(frame)
                now_us = self._clock.monotonic_us()
                if now_us - queued_us > self._lag_us and not self._has_warned:
                    self._has_warned = True
                    self._on_lag()
            self._has_warned = False
        finally:
            self._is_sending = False
            self._sending_since_us = None
            # What one who fails leaves behind, `run` finds.
            (self._queued if self._waiting else self._emptied).ring()
