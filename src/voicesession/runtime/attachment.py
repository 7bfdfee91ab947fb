"""The block in which a host has one session in hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType

from .handle import SessionHandle
from .worker import Worker

__all__ = ("Attachment",)


class Attachment:
    """What `SessionManager.attach` returns. A server has thousands open, so it is no generator.

    Args:
        worker: Looks after the session meanwhile.
        take: Has the worker take the session up, or over; awaited where the block begins.
    """

    __slots__ = ("_handle", "_session_id", "_take", "_take_over", "_worker")

    def __init__(
        self,
        worker: Worker,
        take: Callable[[str, bool], Awaitable[SessionHandle]],
        session_id: str,
        take_over: bool,
    ) -> None:
        self._worker = worker
        self._take = take
        self._session_id = session_id
        self._take_over = take_over
        self._handle: SessionHandle

    async def __aenter__(self) -> SessionHandle:
        self._handle = await self._take(self._session_id, self._take_over)
        return self._handle

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._worker.lay_down(self._handle.ownership, exc)
