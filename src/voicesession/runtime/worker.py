"""One process that runs sessions: what it has open, and what it owns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from ..core.errors import (
    Draining,
    InvalidState,
    LeaseLost,
    StoreError,
    StoreUnavailable,
    VoiceSessionError,
)
from ..core.identity import SessionId, shortened
from ..core.states import EndReason, SessionState
from .alarms import Alarms
from .draining import Drain
from .home import Home
from .jobs import JobRunner
from .orphans import Orphans
from .ownership import Ownership
from .redacting import RedactionHook
from .room_names import RoomNames
from .services import Services
from .supervisor import Supervisor
from .telemetry.watching import SessionWatch
from .unwrapping import unwrapped

__all__ = ("Worker",)

_LEAVING_TAKES_AT_MOST_S: Final = 10.0

logger = logging.getLogger("voicesession")


class Worker:
    """Opens the storage, keeps what runs in the background, and knows the sessions in hand."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._telemetry = services.telemetry
        self.home = Home()
        self.alarms = Alarms(services.clock)
        self.room_names = RoomNames(services.entropy)
        self.orphans = Orphans(services, self._note)
        self.jobs = JobRunner(services, on_error=self._note)
        self._supervisor = Supervisor(
            services.storage.sessions,
            services.clock,
            lease=services.lease,
            on_away=self.orphans.be_patient,
            on_error=self._note,
            after_tick=self._sample,
        )
        self._stack: AsyncExitStack | None = None
        self._tasks: TaskGroup
        self.redaction_hook: RedactionHook | None = None
        self.owned: dict[SessionId, Ownership] = {}
        self.drain = self._new_drain()
        self._watches: dict[Ownership, SessionWatch] = {}

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
            if isinstance(self._services.objects, AbstractAsyncContextManager):
                await stack.enter_async_context(self._services.objects)
            if self._services.recorder is not None:
                stack.push_async_callback(self._services.recorder.aclose)
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            self._tasks.start_soon(self._supervisor.run)
            self._tasks.start_soon(self.orphans.run)
            self._tasks.start_soon(self.jobs.run)
            self._tasks.start_soon(self.alarms.run)
            if self._services.recorder is not None:
                self._tasks.start_soon(self._services.recorder.run)
            self.home.settle()
            self.drain = self._new_drain()
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
        self.home.leave()
        self._tasks.cancel_scope.cancel()
        with unwrapped(exc):
            return await stack.__aexit__(exc_type, exc, traceback)

    async def take_up(self, ownership: Ownership) -> None:
        """Look after *ownership* until `lay_down`.

        Raises:
            Draining: The worker has begun to leave while the session was being taken.
            LeaseLost: This worker has a newer lease on it.
        """
        try:
            self.drain.check()
        except Draining:
            await ownership.give_up()
            raise
        session_id = ownership.session.id
        self._make_way(ownership)
        ownership.spending.run_in(self._start)
        watch = SessionWatch(self._telemetry, ownership.session, ownership.running)
        ownership.listeners.add(watch.follow, kinds=watch.follows)
        ownership.listeners.add(self.drain.follow, kinds=self.drain.follows)
        watch.begin()
        self._watches[ownership] = watch
        self.owned[session_id] = ownership
        self._supervisor.add(session_id, ownership)

    async def lay_down(self, ownership: Ownership, failure: BaseException | None) -> None:
        """Look after *ownership* no longer, and leave it in good order.

        After an exception the session ends as an error, unless that may pass: a store that is
        away, or something else that kept it from going on. Without one, or when we are being
        cancelled, the worker goes away and the session does not.
        """
        session_id = ownership.session.id
        try:
            if not ownership.is_finished:
                await _leave(ownership, failure if isinstance(failure, Exception) else None)
        finally:
            self._watches.pop(ownership).end()
            if self.owned.get(session_id) is ownership:  # and not in other hands of ours
                del self.owned[session_id]
                self._supervisor.remove(session_id)

    def _make_way(self, ownership: Ownership) -> None:
        """See to it that nobody else of this worker holds the session, if this lease is newer.

        Raises:
            LeaseLost: It is not.
        """
        other = self.owned.get(ownership.session.id)
        if other is None:
            return
        if other.epoch > ownership.epoch:
            ownership.lost()
            raise LeaseLost(ownership.session.id, ownership.epoch)
        other.lost()

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.start_soon(work)

    def _new_drain(self) -> Drain:
        return Drain(self._services.clock, self.owned, self._hand_over, self._note)

    async def _hand_over(self, ownership: Ownership) -> None:
        self._supervisor.remove(ownership.session.id)
        await ownership.hand_over()

    def _sample(self) -> None:
        for watch in self._watches.values():
            watch.sample()
        if self._services.recorder is not None:
            self._telemetry.recorded(self._services.recorder.backlog)

    def _note(self, session_id: SessionId | None, error: Exception) -> None:
        self._telemetry.failed(error, source="background")
        whom = "all sessions" if session_id is None else f"session …{shortened(session_id)}"
        logger.warning("could not look after %s: %s", whom, type(error).__name__)


async def _leave(ownership: Ownership, error: Exception | None) -> None:
    """Bring a session that its block has left into good order, even while being cancelled."""
    with anyio.move_on_after(_LEAVING_TAKES_AT_MOST_S, shield=True):
        if error is None:
            await ownership.give_up()
        elif _may_pass(error, ownership):
            with suppress(StoreError):  # away still: then its lease lapses
                await ownership.hand_over()
        elif not ownership.is_over:
            code = error.code if isinstance(error, VoiceSessionError) else type(error).__name__
            with suppress(LeaseLost):  # somebody else has it: the error is the host's alone
                await ownership.end(EndReason.ERROR, error=f"{code}: {error}")


def _may_pass(error: Exception, ownership: Ownership) -> bool:
    """Whether *error* is no reason to end a session: whoever tries again may have more luck."""
    if isinstance(error, StoreUnavailable):
        return True
    is_waiting = ownership.session.state is SessionState.PAUSED
    return is_waiting and isinstance(error, VoiceSessionError) and error.retryable
