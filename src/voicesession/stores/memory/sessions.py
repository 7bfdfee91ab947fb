"""Sessions and their words in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from anyio.lowlevel import checkpoint
from attrs import asdict

from ...core.admission import OpenSessions, admit
from ...core.errors import SessionExists, SessionNotActive, TemplateNotFound
from ...core.identity import SessionId
from ...core.journal import JournalEntry
from ...core.session import Session
from ...core.snapshots import changed
from ...core.states import SessionState
from ...core.templates import TemplateId
from ...core.utterance import Utterance
from ...ports.scope import Scope
from ...ports.storage import (
    MAX_PAGE,
    Change,
    DueSession,
    Lease,
    Page,
    RunningStats,
    SessionQuery,
    Tombstone,
)
from .. import changes
from ..arguments import (
    check_journal_range,
    check_page,
    check_query,
    check_stats,
    check_user_id,
    check_worker_id,
    lease_end,
)
from ..pages import is_ascending, listed_us, page_of, position_of
from ..present import present
from .shelves import Kept, Shelves

__all__ = ("MemorySessions",)


class MemorySessions:
    """See `SessionStore`, `TranscriptStore` and `TombstoneReader`."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves

    # --- sessions --------------------------------------------------------------------------

    async def commit(self, change: Change, /) -> None:
        await checkpoint()
        changes.check_change(change)
        new = change.session
        if change.expected_seq is None:
            self._check_new(new)
            changes.check_task_named(change, stored=())
            self._admit(change)
            kept = self._shelves.sessions[new.id] = Kept(changes.created(new))
        else:
            kept = self._shelves.of(new.id, Scope(new.tenant_id))
            changes.check_standing(change, seq=kept.session.seq, epoch=kept.session.epoch)
            self._check_room(new)
            changes.check_task_named(change, stored=kept.tasks)
            self._shelves.count(kept.session, by=-1)
            kept.session = changes.merged(kept.session, change)
        self._shelves.count(kept.session, by=1)
        kept.journal += change.entries
        kept.words |= {said.id: (place, said) for place, said in changes.placed(change)}
        kept.tasks = {task.id: task for task in change.tasks} | kept.tasks

    async def load(self, session_id: SessionId, /, scope: Scope) -> Session:
        await checkpoint()
        return self._shelves.of(session_id, scope).session

    async def find(self, query: SessionQuery, /, scope: Scope) -> Page:
        await checkpoint()
        check_query(query)
        position = position_of(query)
        ascending = is_ascending(query, position)
        found = sorted(
            (
                kept.session
                for kept in self._shelves.sessions.values()
                if _matches(kept.session, query, scope)
            ),
            key=_place,
            reverse=not ascending,
        )
        if position is not None:
            beside = (position.listed_us, position.session_id)
            found = [s for s in found if (_place(s) > beside if ascending else _place(s) < beside)]
        return page_of(query, position, found[query.offset : query.offset + query.limit + 1])

    async def count_open(self, scope: Scope, *, user_id: str | None) -> tuple[int, int]:
        await checkpoint()
        check_user_id(user_id)
        counted = self._shelves.open_sessions
        tenants = counted.values() if scope.tenant_id is None else [counted.get(scope.tenant_id)]
        of_tenants = [each for each in tenants if each]
        return sum(each[user_id] for each in of_tenants), sum(each.total() for each in of_tenants)

    async def journal(
        self, session_id: SessionId, /, scope: Scope, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[JournalEntry]:
        await checkpoint()
        check_journal_range(after, limit)
        # The entry with seq n stands at n - 1: a journal has no holes.
        return tuple(self._shelves.of(session_id, scope).journal[after : after + limit])

    async def delete(self, session_id: SessionId, /, scope: Scope, *, tombstone: Tombstone) -> None:
        await checkpoint()
        self._shelves.count(self._shelves.of(session_id, scope).session, by=-1)
        del self._shelves.sessions[session_id]
        for kept in self._shelves.sessions.values():
            if kept.session.previous_session_id == session_id:
                kept.session = changed(kept.session, previous_session_id=None)
        self._shelves.tombstones.append(tombstone)

    async def tombstones(self, scope: Scope, /) -> Sequence[Tombstone]:
        """Return what is left of deleted sessions, in the order of their deletion."""
        await checkpoint()
        return tuple(t for t in self._shelves.tombstones if scope.tenant_id in (None, t.tenant_id))

    # --- leases and running stats --------------------------------------------------------------

    async def take_lease(
        self, session_id: SessionId, /, scope: Scope, *, worker_id: str, duration: timedelta
    ) -> Lease:
        await checkpoint()
        check_worker_id(worker_id)
        expires_at = lease_end(present(), duration)
        kept = self._shelves.of(session_id, scope)
        if kept.session.state is SessionState.ENDED:
            raise SessionNotActive(f"session {session_id} has ended")
        return self._leased(kept, worker_id, expires_at)

    async def take_due(
        self, *, worker_id: str, duration: timedelta, limit: int = MAX_PAGE
    ) -> Sequence[DueSession]:
        await checkpoint()
        check_worker_id(worker_id)
        check_page(limit)
        now = present()
        expires_at = lease_end(now, duration)
        due = sorted(
            (since, kept.session.id)
            for kept in self._shelves.sessions.values()
            if (since := _due_since(kept.session)) is not None and since <= now
        )
        return [
            DueSession(
                session=self._shelves.sessions[session_id].session,
                lease=self._leased(self._shelves.sessions[session_id], worker_id, expires_at),
            )
            for _, session_id in due[:limit]
        ]

    async def renew_leases(
        self, held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        await checkpoint()
        expires_at = lease_end(present(), duration)
        renewed: dict[SessionId, int] = {}
        for session_id, epoch in held.items():
            kept = self._owned(session_id, epoch)
            if kept is not None and kept.session.worker_id is not None:
                kept.session = changed(kept.session, lease_expires_at=expires_at)
                renewed[session_id] = kept.session.seq
        return renewed

    async def release_lease(self, session_id: SessionId, /, *, epoch: int) -> None:
        await checkpoint()
        if (kept := self._owned(session_id, epoch)) is not None:
            kept.session = changed(kept.session, worker_id=None, lease_expires_at=None)

    async def write_stats(self, stats: Mapping[SessionId, RunningStats], /) -> None:
        await checkpoint()
        check_stats(stats)
        for session_id, counted in stats.items():
            if (kept := self._owned(session_id, counted.epoch)) is not None:
                kept.session = changed(kept.session, **asdict(counted))

    # --- transcripts ---------------------------------------------------------------------------

    async def utterances(self, session_id: SessionId, /, scope: Scope) -> Sequence[Utterance]:
        await checkpoint()
        words = self._shelves.of(session_id, scope).words.values()
        return tuple(said for _, said in sorted(words, key=_in_transcript))

    async def delete_utterances(self, session_id: SessionId, /, scope: Scope) -> None:
        await checkpoint()
        self._shelves.of(session_id, scope).words.clear()

    # --- inside --------------------------------------------------------------------------------

    def _leased(self, kept: Kept, worker_id: str, expires_at: datetime) -> Lease:
        epoch = kept.session.epoch + 1
        kept.session = changed(
            kept.session, worker_id=worker_id, epoch=epoch, lease_expires_at=expires_at
        )
        return Lease(
            session_id=kept.session.id, worker_id=worker_id, epoch=epoch, expires_at=expires_at
        )

    def _owned(self, session_id: SessionId, epoch: int) -> Kept | None:
        kept = self._shelves.sessions.get(session_id)
        return kept if kept is not None and kept.session.epoch == epoch else None

    def _check_new(self, session: Session) -> None:
        if session.id in self._shelves.sessions:
            raise SessionExists(session.id)
        if session.previous_session_id is not None:
            self._shelves.of(session.previous_session_id, Scope(session.tenant_id))
        if session.session_template_id is not None:
            template = self._shelves.templates.get(TemplateId(session.session_template_id))
            if template is None or template.tenant_id != session.tenant_id:
                raise TemplateNotFound(session.session_template_id)
        self._check_room(session)

    def _admit(self, change: Change) -> None:
        if (policy := change.admission) is None:
            return
        counted = self._shelves.open_sessions.get(change.session.tenant_id, Counter())
        of_tenant = 0 if policy.per_tenant is None else counted.total()
        admit(policy, OpenSessions(of_user=counted[change.session.user_id], of_tenant=of_tenant))

    def _check_room(self, session: Session) -> None:
        if session.room_name is not None and any(
            kept.session.room_name == session.room_name and kept.session.id != session.id
            for kept in self._shelves.sessions.values()
        ):
            raise changes.room_is_taken(session.room_name)


def _is_in(session: Session, scope: Scope) -> bool:
    return scope.tenant_id in (None, session.tenant_id)


def _matches(session: Session, query: SessionQuery, scope: Scope) -> bool:
    started_at = session.started_at or session.created_at
    metadata = session.metadata if query.metadata else {}
    return (
        _is_in(session, scope)
        and query.state in (None, session.state)
        and query.status in (None, session.status)
        and query.user_id in (None, session.user_id)
        and query.mode in (None, session.mode)
        and (query.since is None or started_at >= query.since)
        and (query.until is None or started_at < query.until)
        and all(metadata.get(key) == value for key, value in query.metadata.items())
    )


def _place(session: Session) -> tuple[int, str]:
    return listed_us(session), session.id


def _in_transcript(placed: tuple[int, Utterance]) -> tuple[int, int, str]:
    place, said = placed
    return said.start_us, place, said.id


def _due_since(session: Session) -> datetime | None:
    return session.deadline_at if session.worker_id is None else session.lease_expires_at
