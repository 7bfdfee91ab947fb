"""The sessions of one tenant as they are stored: made, found, commanded and removed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

from ..core.errors import InvalidState, InvalidValue, SessionNotFound
from ..core.events import DetailsChanged, PauseRequested
from ..core.identity import SessionId, TenantId, checked_id
from ..core.journal import JournalEntry
from ..core.metadata import metadata_json
from ..core.session import Session
from ..core.states import EndReason, SessionState, SessionStatus
from ..core.transcript import Transcript
from ..ports.storage import EVERYTHING, Order, Page, Scope, SessionQuery
from .budgets import BudgetTracker
from .commands import Commands
from .erasure import erase
from .jobs import Jobs
from .operations import Operating, operation
from .parameters import SessionFilters, SessionParameters
from .recordings import Recordings
from .registry import Registry
from .rescue import Rescuer
from .room_news import RoomNews
from .rooms import RoomAccess, Rooms
from .services import Services
from .templates import Templates
from .transcripts import Transcripts
from .usage import Usage
from .worker import Worker

__all__ = ("SessionCatalogue",)


class SessionCatalogue(Operating):
    """What can be done to the sessions of one tenant without bringing them to life."""

    def __init__(self, services: Services, worker: Worker, tenant_id: str) -> None:
        self._services = services
        self._worker = worker
        self.tenant_id = TenantId(checked_id("tenant_id", tenant_id))
        self._scope = Scope(self.tenant_id)
        self._registry = Registry(services, self._scope, worker.orphans)
        self.budgets = BudgetTracker(services, worker.home, self.tenant_id)
        """Limits and usage."""
        self._commands = Commands(services, worker, self._registry, self.tenant_id)
        self.usage = Usage(services, worker.home, self._commands, self._registry)
        """What others have measured."""
        self.recordings = Recordings(services, worker.home)
        """The finished audio."""
        self.transcripts = Transcripts(services, worker, self._scope)
        """What was said, as documents and captions, also over linked sessions."""
        self.templates = Templates(services, worker.home, self.tenant_id)
        """What sessions of one kind begin with."""
        self.rooms = Rooms(services, worker, self._registry, self._commands, self.tenant_id)
        """How the caller of a session gets into the room that LiveKit runs for it."""
        self.room_news = RoomNews(services, worker)
        """What LiveKit tells of its rooms, those of all tenants."""
        self.jobs = Jobs(services, worker.home, worker.jobs, self._scope)
        """What is done in the background, and who does it."""
        self.rescuer = Rescuer(services, worker.orphans)
        """Makes whole what a crash has left, of all tenants."""

    @operation
    async def create(self, **parameters: Unpack[SessionParameters]) -> Session:
        """Return a new session in CONNECTING; its connect window has begun.

        Raises:
            Draining: This worker is leaving; another one will.
            InvalidValue: A parameter is not allowed; the error names it.
            QuotaExceeded: Too many sessions of the user or the tenant are open.
            SessionExists: ``session_id`` is taken.
            SessionNotFound: ``resume_session_id`` is no session of this tenant and user.
        """
        self._worker.drain.check()
        return await self._registry.create(dict(parameters), self.tenant_id)

    @operation
    async def start(self, session_template_id: str, *, user_id: str | None = None) -> RoomAccess:
        """Return a new session in a room of its own, and what its caller needs to enter it.

        It waits for its caller for as long as the token is good.

        Raises:
            Draining: This worker is leaving; another one will.
            InvalidConfig: The manager was opened without ``rooms``.
            InvalidValue: *user_id* cannot name a user.
            ProviderError: The room could not be made; the session has ended.
            QuotaExceeded: Too many sessions of the user or the tenant are open.
            TemplateNotFound: There is none of this id for this tenant, or not any more.
        """
        self._worker.drain.check()
        return await self.rooms.start(session_template_id, user_id=user_id)

    @operation
    async def get(self, session_id: str) -> Session:
        """Return the session as it is now; one whose time is over is ended first.

        Raises:
            SessionNotFound: There is none of this id for this tenant.
        """
        return await self._commands.load(session_id)

    async def is_known(self, session_id: str) -> bool:
        """Whether any tenant has a session of this id: a reason to say no, and nothing else."""
        try:
            await self._services.storage.sessions.load(SessionId(session_id), EVERYTHING)
        except SessionNotFound:
            return False
        return True

    @operation
    async def find(self, **filters: Unpack[SessionFilters]) -> Page:
        """Return a page of sessions, newest first unless ``order`` is ``asc``.

        Raises:
            InvalidValue: A filter or the cursor is not allowed.
        """
        return await self._services.storage.sessions.find(_query(dict(filters)), self._scope)

    @operation
    async def transcript(self, session_id: str) -> Transcript:
        """Return the words of a session so far.

        Raises:
            SessionNotFound: There is none of this id for this tenant.
        """
        return await self.transcripts.so_far(session_id)

    @operation
    async def journal(
        self, session_id: str, *, after: int = 0, limit: int = 100
    ) -> tuple[JournalEntry, ...]:
        """Return what happened to a session after the event number *after*, in order.

        Raises:
            SessionNotFound: There is none of this id for this tenant.
        """
        entries = await self._services.storage.sessions.journal(
            SessionId(session_id), self._scope, after=after, limit=limit
        )
        return tuple(entries)

    @operation
    async def update(
        self,
        session_id: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        transcript_partial: str | None = None,
        expected_seq: int | None = None,
    ) -> Session:
        """Replace details that do not matter to the life of the session.

        Args:
            expected_seq: Only if the session is still at this seq.

        Raises:
            InvalidValue: The metadata is no JSON object, or too large.
            SessionNotFound: There is none of this id for this tenant.
            VersionConflict: The session is no longer at *expected_seq*.
        """
        changes: dict[str, Any] = {}
        if metadata is not None:
            changes["metadata_json"] = metadata_json(metadata)
        if transcript_partial is not None:
            changes["transcript_partial"] = transcript_partial
        names = tuple(name.removesuffix("_json") for name in changes)
        changed = DetailsChanged(at=self.now(), fields=names)
        return await self._commands.apply(session_id, changed, at_seq=expected_seq, **changes)

    @operation
    async def pause(self, session_id: str) -> Session:
        """Make a session stand still, wherever it runs; its owner follows within 5 s.

        Raises:
            InvalidState: It is not LIVE, or paused by the user already.
            SessionNotFound: There is none of this id for this tenant.
        """
        return await self._commands.apply(session_id, PauseRequested(at=self.now()))

    @operation
    async def resume(self, session_id: str) -> Session:
        """Take back the user's own pause, and that of a budget that has room again.

        Other reasons to stand still remain.

        Raises:
            BudgetExhausted: A budget has paused it, and has no room.
            InvalidState: Neither the user nor a budget has paused it.
            SessionExpired: Its time was over before.
            SessionNotActive: It has ended.
            SessionNotFound: There is none of this id for this tenant.
        """
        return await self._commands.resume(session_id)

    @operation
    async def end(self, session_id: str, *, reason: str = EndReason.COMPLETED) -> Session:
        """End a session, wherever it runs. Ending an ended session changes nothing.

        Raises:
            SessionNotFound: There is none of this id for this tenant.
        """
        return await self._commands.end(session_id, EndReason(reason))

    @operation
    async def delete(
        self, session_id: str, *, end: bool = False, by: str | None = None, reason: str = "request"
    ) -> None:
        """Remove a session and all that belongs to it: rows, words, audio and files.

        Args:
            end: End it first if it is still active.
            by: Who asked for it, for the tombstone.

        Raises:
            InvalidState: It is active, and *end* is not set.
            AccessDenied: It is under a legal hold.
            RecordingFailed: Audio could not be removed; the session is still there.
            SessionNotFound: There is none of this id for this tenant.
        """
        session = await self.get(session_id)
        if session.state is not SessionState.ENDED:
            if not end:
                raise InvalidState(session.state, "delete", ("end",))
            session = await self.end(session_id, reason=EndReason.CANCELLED)
        await erase(self._services, session, by=by, reason=reason)

    @operation
    async def set_legal_hold(self, session_id: str, held: bool) -> Session:
        """Keep everything of a session from being deleted, by anybody; or lift that again.

        Raises:
            SessionNotFound: There is none of this id for this tenant.
        """
        event = DetailsChanged(at=self.now(), fields=("legal_hold",))
        return await self._commands.apply(session_id, event, legal_hold=held)

    def now(self) -> datetime:
        """Return the instant, by the clock of this worker."""
        return self._services.clock.now()


def _query(filters: dict[str, Any]) -> SessionQuery:
    for name, kind in (("state", SessionState), ("status", SessionStatus), ("order", Order)):
        if filters.get(name) is not None:
            try:
                filters[name] = kind(filters[name])
            except ValueError:
                allowed = ", ".join(kind)
                raise InvalidValue(name, filters[name], allowed) from None
    return SessionQuery(**filters)
