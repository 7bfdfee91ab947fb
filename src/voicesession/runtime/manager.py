"""The front door: sessions are created, found, changed and brought to life here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, overload

from ..core.errors import SessionAlreadyActive
from ..core.identity import DEFAULT_TENANT, SessionId
from ..ports.transport import Transport
from .attachment import Attachment
from .carrying import carried
from .catalogue import SessionCatalogue
from .handle import SessionHandle
from .live import VoiceSession
from .pipeline import Pipeline, SessionConfig
from .self_starting import SelfStartingSession
from .services import Services
from .worker import Worker

__all__ = ("SessionManager",)

P = ParamSpec("P")
T = TypeVar("T")

_LEAVING_TAKES_AT_MOST: Final = timedelta(seconds=30)
_NO_LINE: Final = nullcontext()
_AS_USUAL: Final = SessionConfig()


class SessionManager(SessionCatalogue):
    """All sessions of one tenant, from the point of view of one worker.

    ``async with`` it, or give ``lifespan`` to the web framework: that opens the storage
    and starts the one background task that keeps this worker's sessions alive. The views
    of other tenants, from `for_tenant`, share both.

    It lives in the thread and the event loop in which it is opened, where every method may
    be called from many tasks at once. From another thread they are called through
    `from_thread`; a bare call from there raises WrongThread.
    """

    def __init__(self, services: Services, *, tenant_id: str = DEFAULT_TENANT) -> None:
        super().__init__(services, Worker(services), tenant_id)

    def for_tenant(self, tenant_id: str) -> SessionManager:
        """Return the same manager for the sessions of another tenant.

        Raises:
            InvalidValue: *tenant_id* cannot name a tenant.
        """
        view = SessionManager.__new__(SessionManager)
        SessionCatalogue.__init__(view, self._services, self._worker, tenant_id)
        return view

    async def __aenter__(self) -> Self:
        await self._worker.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._worker.close(exc_type, exc, traceback)

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None]:
        """Be open while a web application runs: ``FastAPI(lifespan=voice.lifespan)``."""
        async with self:
            yield

    # --- live sessions -------------------------------------------------------------------

    def attach(
        self, session_id: str, *, take_over: bool = False
    ) -> AbstractAsyncContextManager[SessionHandle]:
        """Own a session for the length of the block, with a pipeline of your own.

        Whoever owned it before is refused from now on. A session that is not over at the
        end of the block is paused as ``shutdown``, for a client to resume elsewhere; after
        an exception it ends as ``error``, unless the store was away, or it was still paused
        and the error is retryable: then it waits to be tried again.

        Args:
            take_over: The client has come back: have the session also from another block of
                this worker, which stores its last words first. It is not LIVE then.

        Raises:
            Draining: This worker is leaving; another one will.
            SessionAlreadyActive: This worker owns it already, and *take_over* is not set.
            SessionExpired: Its time was over before it began.
            SessionNotActive: It has ended.
            SessionNotFound: There is none of this id for this tenant.
        """
        return Attachment(self._worker, self._take, session_id, take_over)

    @asynccontextmanager
    async def converse(
        self,
        session_id: str,
        pipeline: Pipeline,
        *,
        config: SessionConfig | None = None,
        transport: Transport | None = None,
        take_over: bool = False,
    ) -> AsyncGenerator[VoiceSession]:
        """Bring a session to life with speech engines and an agent, for the length of the block.

        It is LIVE inside the block, and completed at its end unless it has ended before. With
        ``config.auto_start`` it is LIVE from the first audio on, or the first `say`.

        Args:
            transport: The caller's line, on which audio is carried meanwhile; not closed here.
                When the caller hangs up, the session waits for them as long as its grace is.
            take_over: As for `attach`.

        Raises:
            As `attach`, and ProviderError where an engine cannot be had.
        """
        async with self.attach(session_id, take_over=take_over) as handle:
            config = config or _AS_USUAL
            make = SelfStartingSession if config.auto_start else VoiceSession
            call = make(handle, pipeline, self._services, self._worker.alarms, config)
            async with call, _NO_LINE if transport is None else carried(call, transport):
                yield call

    async def _take(self, session_id: str, take_over: bool) -> SessionHandle:
        with self._operation("attach", session_id):
            self._worker.drain.check()
            if (owned := self._commands.owned(session_id)) is not None:
                if not take_over:
                    raise SessionAlreadyActive(f"this worker runs session {session_id} already")
                await owned.hand_over(client_gone=True)
            ownership = await self._registry.take(session_id)
        await self._worker.take_up(ownership)
        if take_over:
            try:
                await ownership.come_back()
            except BaseException as failure:
                await self._worker.lay_down(ownership, failure)
                raise
        return SessionHandle(self._services, ownership, redaction_hook=self._worker.redaction_hook)

    # --- from elsewhere, and out of here --------------------------------------------------

    @overload
    def from_thread(
        self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    @overload
    def from_thread(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    def from_thread(self, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """From another thread: call *function* where the sessions live, and wait for its result.

            voice.from_thread(voice.pause, session_id)
            voice.from_thread(call.say, "Hello")

        Whatever *function* raises is raised here.

        Args:
            function: A method of this manager, of what hangs on it or of a live session;
                async or not.

        Raises:
            InvalidState: The manager is not open.
            WrongThread: This is the manager's own thread: there, just call it.
        """
        return self._worker.home.call(partial(function, *args, **kwargs))

    @property
    def is_draining(self) -> bool:
        """Whether `drain` was called: no new sessions are taken."""
        return self._worker.drain.is_on

    async def drain(self, *, within: timedelta = _LEAVING_TAKES_AT_MOST) -> tuple[SessionId, ...]:
        """Leave: take nothing new, wait for what is in hand, hand over the rest.

        From now on ``create``, ``attach`` and ``converse`` raise Draining, for all tenants, until
        the manager is opened again. What is still in hand when the time is over is paused as
        ``shutdown``, with every word stored, for a client to resume on another worker.

        Args:
            within: How long sessions may take to end by themselves. Called again with less,
                as for a second signal, it shortens the wait of the first call too.

        Returns:
            Those that had to be handed over.

        Raises:
            InvalidValue: *within* is negative.
        """
        with self._operation("drain"):
            return await self._worker.drain.run(within)
