"""
What another server tells of the rooms that it runs, and what becomes of our sessions by that.

Its news may be late, come twice or in another order than it happened, and reach any worker:
`voicesession.core.rooms` decides by the session's own journal what of it is new, and a commit
that finds the session changed decides again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from ..core.errors import InvalidState, VersionConflict
from ..core.events import DetailsChanged, RecordingLinked, SessionEvent
from ..core.identity import TenantId
from ..core.journal import JournalEntry
from ..core.rooms import (
    caller_joined,
    caller_left,
    caller_of,
    last_connection,
    room_closed,
    second_in_name,
)
from ..core.session import Session
from ..core.states import SessionState
from ..ports.storage import EVERYTHING, MAX_PAGE, Scope, SessionQuery
from .commands import Commands
from .home import at_home
from .registry import Registry
from .services import Services
from .worker import Worker

__all__ = ("RoomNews",)

_MOST_TRIES: Final = 10
_A_SECOND: Final = timedelta(seconds=1)

_Meaning: TypeAlias = Callable[[Session, datetime | None], tuple[SessionEvent, ...]]


@at_home
class RoomNews:
    """`SessionManager.room_news`: takes news of the rooms of all tenants.

    Every method returns the session as it is afterwards, or None where no session of ours
    has the room, and raises StoreError where the store does not take it; then tell it again.

    Who comes and goes moves a session that no worker runs. One that has an owner is left to
    it: the owner is in the room itself, and says when audio flows.
    """

    def __init__(self, services: Services, worker: Worker) -> None:
        self._services = services
        self._worker = worker
        self._home = worker.home
        self._sessions = services.storage.sessions

    async def joined(self, room_name: str, identity: str, *, joined_at: datetime) -> Session | None:
        """Take the news that somebody has made a connection to the room.

        Args:
            joined_at: When, by the clock of the room's server, to the millisecond: it names
                the connection.
        """

        def means(session: Session, last: datetime | None) -> tuple[SessionEvent, ...]:
            if not _moves(session, identity):
                return ()
            return caller_joined(session, last, joined_at=joined_at)

        return await self._take(room_name, means)

    async def left(
        self, room_name: str, identity: str, *, joined_at: datetime, left_at: datetime
    ) -> Session | None:
        """Take the news that the connection of *joined_at* is lost.

        Args:
            left_at: When, by the clock of the room's server; it may be cut off to the second.
        """

        def means(session: Session, last: datetime | None) -> tuple[SessionEvent, ...]:
            if not _moves(session, identity):
                return ()
            return caller_left(session, last, joined_at=joined_at, left_at=left_at)

        return await self._take(room_name, means)

    async def closed(self, room_name: str, *, closed_at: datetime) -> Session | None:
        """Take the news that the room is gone: its session is over, whoever runs it."""
        session = await self._session_in(room_name)
        if session is None:
            return None
        last = last_connection(await self._journal(session))
        event = room_closed(session, last, closed_at=closed_at)
        if event is None:
            return session
        return await self._commands(session.tenant_id).end(session.id, event.reason)

    async def recorded(self, room_name: str, *, uri: str | None, is_whole: bool) -> Session | None:
        """Take the news that a recording of the room is finished.

        It is linked to a session that keeps its audio and has no recording yet.

        Args:
            uri: Where it lies; None if there is nothing, although there should be.
        """
        at, partial = self._services.clock.now(), uri is None or not is_whole

        def means(session: Session, _last: datetime | None) -> tuple[SessionEvent, ...]:
            if not session.keeps_audio or session.audio_uri is not None:
                return ()
            if session.state is SessionState.ENDED:
                return (RecordingLinked(at=at, partial=partial),)
            return (DetailsChanged(at=at, fields=("audio_uri", "audio_partial")),)

        return await self._take(room_name, means, audio_uri=uri, audio_partial=partial)

    # --- inside --------------------------------------------------------------------------------

    async def _take(self, room_name: str, means: _Meaning, **changes: Any) -> Session | None:
        session = await self._session_in(room_name)
        if session is None:
            return None
        commands = self._commands(session.tenant_id)
        for attempt in range(_MOST_TRIES):
            session = await commands.load(session.id)
            events = means(session, last_connection(await self._journal(session)))
            if not events:
                break
            try:
                return await commands.apply(session.id, *events, at_seq=session.seq, **changes)
            except (InvalidState, VersionConflict):
                if attempt == _MOST_TRIES - 1:
                    raise
        return session

    async def _session_in(self, room_name: str) -> Session | None:
        """Return the session of the room: it began in the second that the name tells."""
        second = second_in_name(room_name)
        cursor: str | None = None
        while second is not None:
            page = await self._sessions.find(
                SessionQuery(since=second, until=second + _A_SECOND, limit=MAX_PAGE, cursor=cursor),
                EVERYTHING,
            )
            for session in page.sessions:
                if session.room_name == room_name:
                    return session
            if (cursor := page.next_cursor) is None:
                break
        return None

    async def _journal(self, session: Session) -> list[JournalEntry]:
        entries: list[JournalEntry] = []
        while len(entries) < session.seq:
            found = await self._sessions.journal(
                session.id, Scope(session.tenant_id), after=len(entries), limit=MAX_PAGE
            )
            if not found:
                break
            entries += found
        return entries

    def _commands(self, tenant_id: TenantId) -> Commands:
        registry = Registry(self._services, Scope(tenant_id), self._worker.orphans)
        return Commands(self._services, self._worker, registry, tenant_id)


def _moves(session: Session, identity: str) -> bool:
    return session.worker_id is None and identity == caller_of(session)
