"""One connection of a stream, from its handshake to its close."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import anyio
from pydantic import BaseModel, ValidationError

from ..core.errors import AccessDenied, SessionAlreadyActive, VoiceSessionError
from ..schemas.messages import CLOSE_CODES, SERVER_MESSAGE, ErrorOccurred, SessionBegin
from .bookmark import Bookmark
from .errors import NotFound, Unauthenticated, Unreachable, error_of

try:
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
except ImportError as error:
    raise ImportError('the client needs its extra: pip install "voicesession[client]"') from error

__all__ = ("Line", "LineLost")

_LARGEST_MESSAGE_BYTES: Final = 4 * 2**20
_CLOSES_WITHIN_S: Final = 2.0

_ENDED: Final = 1000
_TAKEN_OVER: Final = 4409
_MAY_COME_BACK: Final = frozenset({_ENDED, 1001, 1005, 1006, 1011, 1012, 4408})
"""Closes that say nothing about the session: it waits for its client."""

# A logger of nobody: the protocol would log headers, which hold the token, and what is said.
_SILENT: Final = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001  # see above


class LineLost(Exception):
    """The connection is over.

    Attributes:
        error: What that means; ``retryable`` if the session may go on with another connection.
        is_end: The server has closed it because nothing more is to be said.
    """

    def __init__(self, error: VoiceSessionError, *, is_end: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.is_end = is_end


class Line:
    """An open connection whose session has begun. Made by `open`; its owner closes it.

    Attributes:
        begin: The server's first message.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._complaint: ErrorOccurred | None = None
        self.begin: SessionBegin

    @classmethod
    async def open(
        cls, url: str, headers: Mapping[str, str], bookmark: Bookmark, *, patience_s: float
    ) -> Line:
        """Return a line on which the session has begun, or goes on from *bookmark*.

        Raises:
            LineLost: The server was not reached, or said no.
        """
        line = cls(await _connected(url, headers, patience_s))
        try:
            with anyio.fail_after(patience_s):
                await line._begin(bookmark)
        except BaseException as error:
            await line.aclose()
            if isinstance(error, TimeoutError):
                raise LineLost(Unreachable("the server did not begin the session")) from error
            raise
        return line

    async def send(self, frame: str | bytes) -> None:
        """Send *frame*; it is on its way when this returns, which is no promise that it arrives.

        Raises:
            LineLost: Nothing can be sent any more.
        """
        try:
            await self._socket.send(frame)
        except ConnectionClosed as closed:
            raise self._loss(closed) from closed

    async def say(self, message: BaseModel) -> None:
        """Send *message*; errors as `send`."""
        await self.send(message.model_dump_json(exclude_none=True))

    async def receive(self) -> str | bytes:
        """Return the next frame.

        Raises:
            LineLost: There is none any more.
        """
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            raise self._loss(closed) from closed

    def complained(self, complaint: ErrorOccurred) -> None:
        """Remember what went wrong: it may be why the connection is closed."""
        self._complaint = complaint

    async def aclose(self) -> None:
        """Close the connection. Twice is harmless."""
        with anyio.CancelScope(shield=True):
            await self._socket.close()

    # --- inside ------------------------------------------------------------------------------

    async def _begin(self, bookmark: Bookmark) -> None:
        if (attach := bookmark.attach) is not None:
            await self.say(attach)
        while True:
            frame = await self.receive()
            message = _message(frame)
            if isinstance(message, SessionBegin):
                self.begin = message
                return
            if isinstance(message, ErrorOccurred):
                self.complained(message)

    def _loss(self, closed: ConnectionClosed) -> LineLost:
        code = 1006 if closed.rcvd is None else closed.rcvd.code
        reason = "" if closed.rcvd is None else closed.rcvd.reason
        if code in _MAY_COME_BACK:
            told = f"the connection is closed: {reason or CLOSE_CODES.get(code, 'broken')}"
            return LineLost(Unreachable(told), is_end=code == _ENDED)
        if code == _TAKEN_OVER:
            return LineLost(SessionAlreadyActive("another connection has taken the session over"))
        if self._complaint is not None:
            return LineLost(error_of(self._complaint.code, self._complaint.message))
        return LineLost(error_of(reason, CLOSE_CODES.get(code, f"closed with {code}")))


async def _connected(url: str, headers: Mapping[str, str], patience_s: float) -> ClientConnection:
    try:
        return await connect(
            url,
            additional_headers=headers,
            compression=None,  # audio does not shrink
            open_timeout=patience_s,
            close_timeout=_CLOSES_WITHIN_S,
            max_size=_LARGEST_MESSAGE_BYTES,
            logger=_SILENT,
        )
    except InvalidStatus as refused:
        raise LineLost(_refusal(refused.response.status_code)) from refused
    except (OSError, WebSocketException) as lost:
        told = f"the server cannot be reached: {type(lost).__name__}"
        raise LineLost(Unreachable(told)) from lost


def _refusal(status: int) -> VoiceSessionError:
    """What it means that there was no WebSocket at all."""
    told = f"the server answered {status} to a WebSocket"
    kinds: dict[int, type[VoiceSessionError]] = {
        401: Unauthenticated,
        403: AccessDenied,
        404: NotFound,
    }
    return kinds.get(status, Unreachable)(told)


def _message(frame: str | bytes) -> Any:
    try:
        return SERVER_MESSAGE.validate_json(frame) if isinstance(frame, str) else None
    except ValidationError:
        return None
