"""
After a crash: what is left of sessions and recordings that nobody owns, made whole.

Three things are looked for. Sessions whose lease and grace have passed are ended, as any sweep
does, and their recordings finished. Then recordings that were never finished: each is put
together, where its session is over; left alone, where its session may go on; and removed, where
its session was deleted, once a day has passed since anything of it was shipped: somebody may be
at it. What belongs to no session that the store knows is reported and left where it is: the store
that was named may be the wrong one. At last what nobody can finish: see ``Recorder.sweep``.

What would be done can be asked before: see `Rescuer.plan`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from attrs import evolve, field, frozen

from ..core.errors import SessionNotFound, VoiceSessionError
from ..core.events import RecordingLinked
from ..core.identity import SessionId
from ..core.session import Session
from ..core.states import SessionState
from ..ports.recording import Leftover, LeftRecording, Recorder
from ..ports.scope import EVERYTHING
from ..ports.storage import TombstoneReader
from .ending import recording_changes
from .orphans import Orphans
from .outlook import SessionFate, fate_of
from .record import SessionRecord
from .services import Services

__all__ = ("Fate", "Rescue", "RescuedRecording", "Rescuer")


_SETTLED_AFTER: Final = timedelta(hours=24)


class Fate(StrEnum):
    """What becomes of a recording that was found. The values are printed; never rename one."""

    FINISHED = "finished"
    """Its session is over: it is put together and linked to it."""
    SPARED = "spared"
    """Its session goes on, or may be resumed."""
    REMOVED = "removed"
    """Its session was deleted."""
    UNKNOWN = "unknown"
    """The store knows of no such session; nothing is done."""
    FAILED = "failed"
    """It could not be finished or removed, and is still there."""


@frozen(kw_only=True)
class RescuedRecording:
    """What became of one recording, or what would.

    Attributes:
        tenant_id: In whose folder it lies; None where tenants share one.
        duration_us: How much audio there was.
        detail: Where the file is, or why there is none.
    """

    session_id: str
    tenant_id: str | None
    fate: Fate
    duration_us: int
    detail: str | None = None


@frozen(kw_only=True)
class Rescue:
    """What was found and done, or what would be.

    Attributes:
        fates: Of each session that was looked after because nobody ran it.
        recordings: Also those of such sessions.
        swept: Unfinished uploads, and segments of no recording, that were removed.
    """

    fates: Mapping[SessionId, SessionFate] = field(factory=dict[SessionId, SessionFate])
    recordings: tuple[RescuedRecording, ...] = ()
    swept: tuple[Leftover, ...] = ()

    @property
    def sessions(self) -> tuple[SessionId, ...]:
        """Those that were looked after."""
        return tuple(self.fates)


class Rescuer:
    """Looks for what crashes have left of the sessions and recordings of all tenants."""

    def __init__(self, services: Services, orphans: Orphans) -> None:
        self._services = services
        self._orphans = orphans

    async def plan(self) -> Rescue:
        """Return what `rescue` would do as things stand; change nothing.

        To know which sessions it would look after, it reads every session there is.

        Raises:
            RecordingFailed: The place of the recordings cannot be read.
            StoreError: The store does not say which sessions there are.
        """
        services, recorder = self._services, self._services.recorder
        fates = await self._orphans.foresee()
        if recorder is None:
            return Rescue(fates=fates)
        left = await recorder.find_left()
        return Rescue(
            fates=fates,
            recordings=tuple([await _judged(services, one, fates) for one in left]),
            swept=tuple(await recorder.find_leftovers()),
        )

    async def rescue(self, *, on_progress: Callable[[int, int], None] | None = None) -> Rescue:
        """Look after all sessions that nobody runs; finish all recordings that nobody makes.

        Safe to run at any time, twice, and from many workers at once.

        Args:
            on_progress: Called with how many recordings are done, and how many there are.

        Raises:
            RecordingFailed: The place of the recordings cannot be read; the sessions were
                looked after.
            StoreError: The store does not say which sessions there are.
        """
        services, recorder = self._services, self._services.recorder
        try:
            left = () if recorder is None else await recorder.find_left()
        finally:
            swept = await self._orphans.sweep()
        fates = {session_id: await self._fate(session_id) for session_id in swept}
        if recorder is None:
            return Rescue(fates=fates)
        done: list[RescuedRecording] = []
        for one in left:
            judged = await _judged(services, one, fates)
            done.append(await _carried_out(services, recorder, judged))
            if on_progress is not None:
                on_progress(len(done), len(left))
        leftovers = await recorder.sweep()
        return Rescue(fates=fates, recordings=tuple(done), swept=tuple(leftovers))

    async def _fate(self, session_id: SessionId) -> SessionFate:
        session = await _session(self._services, session_id)
        return SessionFate.ERASED if session is None else fate_of(session)


async def _judged(
    services: Services, left: LeftRecording, fates: Mapping[SessionId, SessionFate]
) -> RescuedRecording:
    """Return what is to become of *left*, once the sessions in *fates* have met them."""
    session, detail = await _session(services, left.session_id), None
    fate_of_session = fates.get(SessionId(left.session_id))
    if fate_of_session is SessionFate.ERASED:
        fate = Fate.REMOVED
    elif session is not None:
        is_over = fate_of_session is SessionFate.ENDED or session.state is SessionState.ENDED
        fate = Fate.FINISHED if is_over else Fate.SPARED
    elif not await _was_deleted(services, left.session_id):
        fate = Fate.UNKNOWN
    elif left.shipped_at is None or left.shipped_at < services.clock.now() - _SETTLED_AFTER:
        fate = Fate.REMOVED
    else:
        fate, detail = Fate.SPARED, "its session was deleted; not yet left for a day"
    return RescuedRecording(
        session_id=left.session_id,
        tenant_id=left.tenant_id,
        fate=fate,
        duration_us=left.duration_us,
        detail=detail,
    )


async def _carried_out(
    services: Services, recorder: Recorder, planned: RescuedRecording
) -> RescuedRecording:
    if planned.tenant_id is not None:
        recorder = recorder.for_tenant(planned.tenant_id)
    try:
        if planned.fate is Fate.REMOVED:
            await recorder.purge(planned.session_id)
        elif planned.fate is Fate.FINISHED:
            return await _finished(services, recorder, planned)
    except VoiceSessionError as error:
        return _with(planned, Fate.FAILED, f"{error.code}: {error}")
    return planned


async def _finished(
    services: Services, recorder: Recorder, planned: RescuedRecording
) -> RescuedRecording:
    reports = await recorder.recover_only([planned.session_id])
    session = await _session(services, planned.session_id)
    for report in reports:
        if report.recorded is None:
            return _with(planned, Fate.FAILED, report.problem)
        if session is not None:
            changes = recording_changes(report.recorded)
            event = RecordingLinked(at=services.clock.now(), partial=changes["audio_partial"])
            record = SessionRecord(services.storage.sessions, session, policy=services.life)
            await record.apply(event, **changes)
        return _with(planned, Fate.FINISHED, report.recorded.uri)
    if session is not None and session.audio_uri is not None:  # when its session ended
        return _with(planned, Fate.FINISHED, session.audio_uri)
    return _with(planned, Fate.SPARED, "somebody else has taken it up")


async def _session(services: Services, session_id: str) -> Session | None:
    try:
        return await services.storage.sessions.load(SessionId(session_id), EVERYTHING)
    except SessionNotFound:
        return None


async def _was_deleted(services: Services, session_id: str) -> bool:
    store = services.storage.sessions
    if not isinstance(store, TombstoneReader):
        return False
    deleted = hashlib.sha256(session_id.encode()).hexdigest()
    return any(stone.session_hash == deleted for stone in await store.tombstones(EVERYTHING))


def _with(planned: RescuedRecording, fate: Fate, detail: str | None) -> RescuedRecording:
    return evolve(planned, fate=fate, detail=detail)
