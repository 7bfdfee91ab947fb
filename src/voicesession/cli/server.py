"""
The web server under ``voicesession serve``: uvicorn, as these sessions need it.

What uvicorn leaves open is bounded here: a connection that does not say in time what it wants
is closed, and one that is being closed does not wait for a client that takes nothing more. It has
a limit of its own for those that have been answered and say nothing more, and none for one that
sends the head of a request byte by byte, or nothing at all. Bodies and streams have limits in
`voicesession.web`, whatever server is under it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.types import ASGIApp

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import (
        H11Protocol as HttpProtocol,
        RequestResponseCycle,
    )
else:  # h11, or httptools where that is installed; to us they are alike
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as HttpProtocol

__all__ = ("HEAD_WITHIN", "TAKEN_WITHIN", "Server", "server_of")

HEAD_WITHIN: Final = timedelta(seconds=10)
TAKEN_WITHIN: Final = timedelta(minutes=2)

_LARGEST_MESSAGE_BYTES: Final = 1024 * 1024
_CONNECTIONS_CLOSE_WITHIN_S: Final = 5
_IS_ANSWERED: Final = object()


class Server(uvicorn.Server):
    """Leaves the signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def server_of(
    app: ASGIApp,
    *,
    head_within: timedelta = HEAD_WITHIN,
    taken_within: timedelta = TAKEN_WITHIN,
) -> Server:
    """Return a server of *app*, for the sockets that it is given.

    Args:
        head_within: How long the head of a first request may take; of a later one on the
            same connection, up to twice as long.
        taken_within: How long a connection that is being closed waits for a client that takes
            nothing of what is left; it is looked at as often as that.
    """

    class Punctual(_PunctualProtocol):
        head_within_s = head_within.total_seconds()
        taken_within_s = taken_within.total_seconds()

    config = uvicorn.Config(
        app,
        http=Punctual,
        log_level="warning",
        lifespan="off",  # what the sessions live in is open already, and its errors are ours
        # Deflate costs more than it saves for audio, and memory for every connection.
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=_LARGEST_MESSAGE_BYTES,
        proxy_headers=False,
        timeout_graceful_shutdown=_CONNECTIONS_CLOSE_WITHIN_S,
    )
    return Server(config)


class _PunctualProtocol(HttpProtocol):
    """Looks now and then whether its client is still at the head of the same request."""

    head_within_s: float
    taken_within_s: float
    _undertaker: _Undertaker
    _next_look: asyncio.TimerHandle
    _waits_behind: object = None
    """The request that was answered last when we looked; None where there was none yet."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._undertaker = _Undertaker(self.loop, transport, self.taken_within_s)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        self._undertaker.leave()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._next_look = self.loop.call_later(self.head_within_s, self._look)

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # it has become a WebSocket, which has limits of its own
        last = self._last
        is_waiting = last is None or last.response_complete
        if is_waiting and last is self._waits_behind:
            self.transport.close()
            return
        self._waits_behind = last if is_waiting else _IS_ANSWERED
        self._look_later()

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The request that came last. uvicorn's types do not say that there may be none yet."""
        return self.cycle


class _Undertaker:
    """Sees to it that a connection that is being closed comes to its end.

    It would wait for its client, whether that takes what is left or not. A connection that has
    become a WebSocket is another protocol's, and ends this one only with its own end.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, every_s: float
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._every_s = every_s
        self._left_bytes: int | None = None
        self._look_later()

    def leave(self) -> None:
        """Look no more: it has ended."""
        self._next_look.cancel()

    def _look_later(self) -> None:
        self._next_look = self._loop.call_later(self._every_s, self._look)

    def _look(self) -> None:
        left_before = self._left_bytes
        if self._transport.is_closing():
            self._left_bytes = self._transport.get_write_buffer_size()
            if self._left_bytes == left_before:
                self._transport.abort()
                return
        self._look_later()
