"""
Sessions that nobody runs: what time does to them, and what is then owed to them.

A worker that dies leaves sessions behind whose lease lapses. Somebody else takes each of them
with a lease of its own, notes that the worker is lost, gives back what it had reserved, and
lets time do the rest: a session that nobody resumes within the grace ends here, with the audio
and the words that its worker had kept. When the days of its retention are over, it is erased
here.

Patience: while the store was away no worker could renew its leases, and then all of them look
lost. So a worker that has just started, or has seen the store fail, waits for one full lease
before it looks at the sessions of others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from attrs import evolve

from ..core.deadlines import due, retention_ends
from ..core.errors import StoreError, VoiceSessionError
from ..core.events import EndRequested, RecordingLinked, SessionEvent
from ..core.identity import SessionId
from ..core.instants import duration_us
from ..core.session import Session
from ..core.states import SessionState
from ..ports.recording import Recorded
from ..ports.scope import EVERYTHING
from ..ports.storage import MAX_PAGE, DueSession, Order, SessionQuery
from .ending import Ending, recording_changes
from .erasure import erase
from .jobs import enhancement_of
from .outlook import SessionFate, foreseen, loss_of
from .record import SessionRecord
from .services import Services

__all__ = ("Orphans",)

_AT_ONCE: Final = 20
_SWEEPS_PER_LEASE: Final = 3
_FILES_TAKE_AT_MOST: Final = timedelta(minutes=10)


class Orphans:
    """Looks after the sessions of all tenants that no worker runs.

    Args:
        on_error: Told which session could not be looked after, and why; None for all of
            them. The lease on it lapses, and then somebody tries again.
    """

    def __init__(
        self, services: Services, on_error: Callable[[SessionId | None, Exception], None]
    ) -> None:
        self._services = services
        self._sessions = services.storage.sessions
        self._clock = services.clock
        self._telemetry = services.telemetry
        self._on_error = on_error
        self._patient_until_us = 0

    def be_patient(self) -> None:
        """Leave the sessions of others alone for one full lease."""
        lease_us = duration_us(self._services.lease)
        self._patient_until_us = self._clock.monotonic_us() + lease_us

    async def run(self) -> None:
        """Sweep several times a lease, with patience, until cancelled."""
        self.be_patient()
        period_us = duration_us(self._services.lease) // _SWEEPS_PER_LEASE
        while True:
            await self._clock.sleep_until(self._clock.monotonic_us() + period_us)
            if self._clock.monotonic_us() >= self._patient_until_us:
                try:
                    await self.sweep()
                except StoreError as error:
                    self.be_patient()
                    self._on_error(None, error)

    async def sweep(self) -> tuple[SessionId, ...]:
        """Do for every session what is due; return which were looked at.

        Of many workers that sweep at once, each session is looked at by one.

        Raises:
            StoreError: The store cannot say which sessions those are.
        """
        swept: dict[SessionId, None] = {}
        while found := await self._sessions.take_due(
            worker_id=self._services.worker_id, duration=self._services.lease, limit=_AT_ONCE
        ):
            # A store whose clock is ahead of ours hands out again what is not due here yet.
            is_news = any(one.session.id not in swept for one in found)
            for one in found:
                swept[one.session.id] = None
                try:
                    await self._look_at(one)
                except VoiceSessionError as error:
                    self._on_error(one.session.id, error)
            if not is_news:
                break
        return tuple(swept)

    async def foresee(self) -> dict[SessionId, SessionFate]:
        """Return what `sweep` would make of which sessions; change nothing.

        It reads every session there is, page by page, and goes by our clock.

        Raises:
            StoreError: The store cannot say which sessions there are.
        """
        fates: dict[SessionId, SessionFate] = {}
        query: SessionQuery | None = SessionQuery(order=Order.OLDEST_FIRST, limit=MAX_PAGE)
        while query is not None:
            page = await self._sessions.find(query, EVERYTHING)
            for session in page.sessions:
                fate = foreseen(session, self._services.life, self._clock.now())
                if fate is not None:
                    fates[session.id] = fate
            cursor = page.next_cursor
            query = None if cursor is None else evolve(query, cursor=cursor)
        return fates

    async def pass_time(self, record: SessionRecord) -> None:
        """Apply to a session that nobody runs whatever has become due by now."""
        while event := due(record.session, self._services.life, self._clock.now()):
            if isinstance(event, EndRequested):
                await self.end(record, event)
            else:
                await self._apply(record, event)

    async def end(self, record: SessionRecord, event: EndRequested) -> Session:
        """End a session that nobody runs, with the audio and the words that were kept."""
        ending, audio, error = await self._results(record.session)
        problems = "; ".join(filter(None, [event.error, error])) or None
        changes = audio | ending.changes | enhancement_of(self._services, record.session)
        ended = await self._apply(record, evolve(event, error=problems), **changes)
        await ending.forget_words()
        await self._give_back(ended)
        return ended

    # --- inside --------------------------------------------------------------------------------

    async def _look_at(self, due_session: DueSession) -> None:
        found, lease = due_session.session, due_session.lease
        record = SessionRecord(
            self._sessions,
            evolve(
                found,
                worker_id=lease.worker_id,
                epoch=lease.epoch,
                lease_expires_at=lease.expires_at,
            ),
            policy=self._services.life,
            epoch=lease.epoch,
        )
        if found.state is SessionState.ENDED:
            await self._look_at_ended(record)
            return
        if found.lease_expires_at is not None:
            if lost := loss_of(found, self._clock.now()):
                await self._apply(record, lost)
            await self._give_back(found)
        await self.pass_time(record)
        if found.lease_expires_at is not None:
            self._telemetry.swept(record.session)
        if record.session.state is not SessionState.ENDED:
            await self._sessions.release_lease(found.id, epoch=lease.epoch)

    async def _look_at_ended(self, record: SessionRecord) -> None:
        session, now = record.session, self._clock.now()
        ends = retention_ends(session)
        if ends is not None and ends <= now:
            await erase(self._services, session, by=None, reason="retention")
            return
        # It was ended from outside, and its worker died before it could finish it.
        ending, audio, error = await self._results(session)
        event = RecordingLinked(at=now, partial=audio.get("audio_partial", session.audio_partial))
        changes = audio | ending.changes | enhancement_of(self._services, session)
        await record.apply(event, error=error or session.error, **changes)
        self._telemetry.stopped(session)
        self._telemetry.swept(session)
        await ending.forget_words()
        await self._give_back(session)

    async def _apply(self, record: SessionRecord, event: SessionEvent, **changes: Any) -> Session:
        before = record.session
        after = await record.apply(event, **changes)
        self._telemetry.changed(before, after)
        return after

    async def _results(self, session: Session) -> tuple[Ending, dict[str, Any], str | None]:
        """Make the files of a session whose worker is gone; what failed is told as text."""
        if session.worker_id is not None:
            # An hour of audio is not put together within a lease.
            held = {session.id: session.epoch}
            await self._sessions.renew_leases(held, duration=_FILES_TAKE_AT_MOST)
        audio, problem = await self._recovered(session)
        ending = await Ending.of(self._services, session, None)
        return ending, audio, "; ".join(filter(None, [problem, ending.error])) or None

    async def _recovered(self, session: Session) -> tuple[dict[str, Any], str | None]:
        recorder = self._services.recorder_of(session)
        if recorder is None or not session.keeps_audio:
            return {}, None
        try:
            reports = await recorder.recover_only([session.id])
        except VoiceSessionError as error:
            return {"audio_partial": True}, f"{error.code}: {error}"
        recorded: Recorded | None = next((r.recorded for r in reports), None)
        problem = next((r.problem for r in reports), None)
        return recording_changes(recorded), problem

    async def _give_back(self, session: Session) -> None:
        await self._services.storage.ledger.release_session(
            session.tenant_id, session.id, audio_used_us=session.audio_used_us
        )
