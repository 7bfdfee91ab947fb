"""One process that runs sessions: what it has open, and what it owns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ..core.errors import InvalidState
from ..core.identity import SessionId, shortened
from .orphans import Orphans
from .ownership import Ownership
from .services import Services
from .supervisor import Supervisor
from .unwrapping import unwrapped

__all__ = ("Worker",)

logger = logging.getLogger("voicesession")


class Worker:
    """Opens the storage, keeps what runs in the background, and knows the sessions in hand."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.orphans = Orphans(services, _log)
        self._supervisor = Supervisor(
            services.storage.sessions,
            services.clock,
            lease=services.lease,
            on_away=self.orphans.be_patient,
            on_error=_log,
        )
        self._stack: AsyncExitStack | None = None
        self._tasks: TaskGroup
        self.owned: dict[SessionId, Ownership] = {}

    async def open(self) -> None:
        """Open what the host has joined.

        Raises:
            InvalidState: It is open already.
        """
        if self._stack is not None:
            raise InvalidState("open", "open", ("close",))
        stack = AsyncExitStack()
        async with stack:
            await stack.enter_async_context(self._services.storage)
            if self._services.recorder is not None:
                stack.push_async_callback(self._services.recorder.aclose)
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            self._tasks.start_soon(self._supervisor.run)
            self._tasks.start_soon(self.orphans.run)
            if self._services.recorder is not None:
                self._tasks.start_soon(self._services.recorder.run)
            self._stack = stack.pop_all()

    async def close(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Stop the supervisor and close what was opened, in the opposite order."""
        stack, self._stack = self._stack, None
        if stack is None:
            return None
        self._tasks.cancel_scope.cancel()
        with unwrapped(exc):
            return await stack.__aexit__(exc_type, exc, traceback)

    @contextmanager
    def owning(self, ownership: Ownership) -> Generator[None]:
        """Look after *ownership* for the length of the block."""
        session_id = ownership.session.id
        ownership.run_in(self._start)
        self.owned[session_id] = ownership
        self._supervisor.add(session_id, ownership)
        try:
            yield
        finally:
            del self.owned[session_id]
            self._supervisor.remove(session_id)

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.start_soon(work)


def _log(session_id: SessionId | None, error: Exception) -> None:
    whom = "all sessions" if session_id is None else f"session …{shortened(session_id)}"
    logger.warning("could not look after %s: %s", whom, type(error).__name__)
