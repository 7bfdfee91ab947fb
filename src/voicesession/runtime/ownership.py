"""
What it means to own a session: to hold its lease, to write with it, and to answer for it.

Whatever moves the session (its host, its own deadlines, a command from another worker) comes
through here, and what is then owed is done here, in the same way for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import asdict

from ..core.deadlines import due
from ..core.errors import (
    InvalidState,
    LeaseLost,
    SessionNotFound,
    WrongThread,
)
from ..core.events import (
    EndRequested,
    SessionEvent,
    ShutdownBegan,
    TransportLost,
)
from ..core.identity import shortened
from ..core.journal import JournalEntry
from ..core.life import Reaction, is_legal, reactions
from ..core.session import Session
from ..core.snapshots import changed
from ..core.states import EndReason, PauseReason, SessionState
from ..ports.storage import Lease, RunningStats, Scope
from .finish import Finish
from .gate import Gate
from .happenings import Failed, Listeners, SessionChanged
from .record import Running, SessionRecord
from .services import Services
from .spending import Spending
from .tape import Tape

__all__ = ("Ownership",)

_WAITS_FOR_CLIENT: Final = frozenset({PauseReason.DISCONNECTED})
_LEFT_BY_WORKER: Final = frozenset({PauseReason.SHUTDOWN, PauseReason.WORKER_LOST})


class Ownership:
    """One session in the hands of this worker, until it ends, is given up or is lost.

    Attributes:
        is_lost: It is somebody else's.
        is_live: Audio is accepted now.
        is_over: It has ended or is lost.
        is_torn: Another worker had it until now and has not handed it over: what was in its hands
            (a reply, words under way) is not known here.
    """

    def __init__(
        self, services: Services, session: Session, lease: Lease, *, is_torn: bool = False
    ) -> None:
        self._services = services
        self._lease = lease
        self._owed: list[Reaction] = []
        self._leaving = Gate()
        self._finish = Finish(services, self)
        self._drain: Callable[[], Awaitable[None]] | None = None
        self._thread = threading.get_ident()
        self.is_lost = False
        self.is_torn = is_torn
        # Asked for every piece of audio, and changed a few times in a session.
        self.is_live = session.state is SessionState.LIVE
        self.is_over = session.state is SessionState.ENDED
        self.scope = Scope(session.tenant_id)
        self.listeners = Listeners()
        self.running = Running.of(session)
        self.tape = Tape(
            session.id, session.audio_format, self.running, services.recorder_of(session)
        )
        self.record = SessionRecord(
            services.storage.sessions,
            changed(
                session,
                worker_id=lease.worker_id,
                epoch=lease.epoch,
                lease_expires_at=lease.expires_at,
            ),
            policy=services.life,
            epoch=lease.epoch,
            running=self.running,
            on_change=self._changed,
        )
        self.spending = Spending(services, self)

    @property
    def session(self) -> Session:
        """The session as this worker stored or loaded it last."""
        return self.record.session

    @property
    def is_ending(self) -> bool:
        """Whether its end has begun: nothing else is to become of it."""
        return self._finish.has_begun

    @property
    def is_finished(self) -> bool:
        """Whether it has ended here, is stored, and is owed nothing any more."""
        return self._finish.is_done

    def before_end(self, drain: Callable[[], Awaitable[None]] | None) -> None:
        """Await *drain* before the session is ended here, so that no word is left behind.

        None where there is nobody any more who could have some.
        """
        self._drain = drain

    async def apply(self, *events: SessionEvent, **changes: Any) -> Session:
        """Apply *events*, store them in one commit, and do what is owed for them.

        Raises:
            InvalidState: An event is not legal now.
            LeaseLost: Another worker owns the session.
        """
        self.check_thread()
        if self.is_lost:
            raise LeaseLost(self.session.id, self._lease.epoch)
        try:
            await self.record.apply(*events, **changes)
        except LeaseLost:
            self.lost()
            raise
        await self._pay()
        return self.session

    def check_thread(self) -> None:
        """Do nothing for a caller in the thread where the session lives.

        Raises:
            WrongThread: This is another one.
        """
        if self._thread != threading.get_ident():
            raise WrongThread(f"session …{shortened(self.session.id)} belongs to another thread")

    async def note(self, event: SessionEvent) -> Session:
        """Store *event*, for which nothing is ever owed."""
        return await self.record.apply(event)

    async def end(self, reason: EndReason, *, error: str | None = None) -> Session:
        """End the session: its last words, its audio, its transcript, then one commit.

        Twice is harmless. A step that fails is recorded in ``error``, and the next one
        still runs. Where the commit itself fails, the next call makes it again, and so does
        ``pass_time``.
        """
        self.check_thread()
        self._finish.has_begun = True
        async with self._leaving:
            if not self._finish.is_done and not self.is_lost:
                await self._finish.run(reason, error, self._drain)
                self._owed.clear()
        return self.session

    async def give_up(self) -> None:
        """Hand a session that goes on to whoever resumes it: we are leaving."""
        await self._let_go(ShutdownBegan(at=self._services.clock.now()))

    async def hand_over(self, *, client_gone: bool = False) -> None:
        """Give the session up while it is in use here, with every word that was said stored.

        Whatever comes of it, nothing more is written by this owner.

        Args:
            client_gone: The session waits for its client, not for a worker.

        Raises:
            StoreError: Nobody was told; its lease lapses.
        """
        at = self._services.clock.now()
        try:
            await self._let_go(TransportLost(at=at) if client_gone else ShutdownBegan(at=at))
        finally:
            self.lost()

    async def come_back(self) -> None:
        """Note that the client has left the connection on which somebody else had it LIVE."""
        gone = TransportLost(at=self._services.clock.now())
        if is_legal(self.session, gone) and self.session.pause_reasons.isdisjoint(_LEFT_BY_WORKER):
            await self.apply(gone)

    # --- for the supervisor ------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The lease that the writes carry."""
        return self._lease.epoch

    @property
    def seq(self) -> int:
        """Of the last change that this worker knows of."""
        return self.session.seq

    def running_stats(self) -> RunningStats:
        """What the session has counted by now."""
        return RunningStats(epoch=self._lease.epoch, **asdict(self.running))

    def lost(self) -> None:
        """Stop: somebody else owns the session, or may by now. Nothing more is written."""
        if self.is_over:
            return
        self.is_lost = True
        self._note_life()
        self.tape.release()
        self.listeners.tell(Failed(LeaseLost(self.session.id, self._lease.epoch)))

    async def lease_gone(self) -> None:
        """Finalise a session that somebody else has ended; any other one is lost."""
        try:
            await self.record.refresh()
        except SessionNotFound:
            self.lost()
            return
        if self.session.state is SessionState.ENDED and self.session.epoch == self.epoch:
            await self._pay()
        else:
            self.lost()

    async def catch_up(self) -> None:
        """Load what somebody else has changed, and do what is owed for it."""
        await self.record.refresh()
        await self._pay()

    async def pass_time(self) -> None:
        """Apply whatever has become due by now."""
        if self.is_ending:
            await self.end(EndReason.COMPLETED)  # an end that was not stored keeps its own reason
            return
        event = due(self.session, self._services.life, self._services.clock.now())
        if isinstance(event, EndRequested):
            await self.end(event.reason, error=event.error)
        elif event is not None:
            await self.apply(event)
        else:
            await self.spending.pass_time()

    # --- inside ------------------------------------------------------------------------------

    def _note_life(self) -> None:
        state = self.session.state
        self.is_live = state is SessionState.LIVE and not self.is_lost
        self.is_over = state is SessionState.ENDED or self.is_lost

    def _changed(self, before: Session, after: Session, entries: tuple[JournalEntry, ...]) -> None:
        self._note_life()
        self._owed += reactions(before, after)
        self.listeners.tell(SessionChanged(before, after, entries))

    async def _pay(self) -> None:
        while self._owed:
            reaction = self._owed.pop(0)
            if reaction is Reaction.PURGE_RECORDING:
                await self.tape.purge()
            elif reaction is Reaction.SETTLE:
                await self.spending.settle()
            elif reaction is Reaction.LISTEN:
                await self.spending.begin()
            elif reaction is Reaction.FINALISE:
                await self.end(EndReason.COMPLETED)  # it has ended, and keeps its own reason

    async def _let_go(self, because: SessionEvent) -> None:
        async with self._leaving:
            if self.is_over:
                return
            try:
                # Who waits for its client already waits for no worker.
                waits = not self.session.pause_reasons.isdisjoint(_WAITS_FOR_CLIENT)
                if not waits and is_legal(self.session, because):
                    await self.record.apply(because)
                if self._drain is not None:
                    await self._drain()
            except LeaseLost:
                self.lost()
            except InvalidState:
                pass  # somebody else has ended it: what that owes comes below
            if not self.is_over:
                self.tape.release()
                await self.spending.settle(leave=True)
                await self._services.storage.sessions.release_lease(
                    self.session.id, epoch=self.epoch
                )
        if self.session.state is SessionState.ENDED:
            await self._pay()
