"""A storage for tests and single-process apps; it loses everything at exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from anyio.lowlevel import checkpoint
from attrs import define, evolve, field

from ..core.errors import (
    LeaseLost,
    SessionExists,
    SessionNotActive,
    SessionNotFound,
    VersionConflict,
)
from ..core.identity import SessionId
from ..core.journal import JournalEntry
from ..core.session import Session
from ..core.states import SessionState
from ..core.utterance import Utterance, UtteranceId
from ..ports.storage import (
    MAX_PAGE,
    Change,
    Lease,
    Page,
    RunningStats,
    Scope,
    SessionQuery,
    Tombstone,
)
from .pages import listed_us, page_of, position_of

__all__ = ("MemoryStorage",)


@define
class _Kept:
    """All there is of one session."""

    session: Session
    journal: list[JournalEntry] = field(factory=list)
    utterances: dict[UtteranceId, Utterance] = field(factory=dict)


class MemoryStorage:
    """Keeps sessions in a dict. Runs on asyncio and on Trio, in one event loop.

    It needs no lock: nothing awaits between a check and the write that it allows.
    """

    def __init__(self) -> None:
        self._kept: dict[SessionId, _Kept] = {}
        self._tombstones: list[Tombstone] = []

    @property
    def sessions(self) -> MemoryStorage:
        return self

    @property
    def transcripts(self) -> MemoryStorage:
        return self

    async def __aenter__(self) -> Self:
        await checkpoint()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await checkpoint()

    # --- sessions --------------------------------------------------------------------------

    async def commit(self, change: Change, /) -> None:
        await checkpoint()
        new = change.session
        if change.expected_seq is None:
            if new.id in self._kept:
                raise SessionExists(new.id)
            kept = self._kept[new.id] = _Kept(new)
        else:
            kept = self._find(new.id, Scope(new.tenant_id))
            _check(kept.session, change)
            kept.session = _merged(kept.session, change)
        kept.journal += change.entries
        kept.utterances |= {utterance.id: utterance for utterance in change.utterances}

    async def load(self, session_id: SessionId, /, scope: Scope) -> Session:
        await checkpoint()
        return self._find(session_id, scope).session

    async def find(self, query: SessionQuery, /, scope: Scope) -> Page:
        await checkpoint()
        position = position_of(query)
        ascending = query.order == "asc" if position is None else position.ascending
        found = sorted(
            (kept.session for kept in self._kept.values() if _matches(kept.session, query, scope)),
            key=_place,
            reverse=not ascending,
        )
        if position is not None:
            beside = (position.listed_us, position.session_id)
            found = [s for s in found if (_place(s) > beside if ascending else _place(s) < beside)]
        return page_of(query, position, found[query.offset : query.offset + query.limit + 1])

    async def count_open(self, scope: Scope, *, user_id: str | None) -> tuple[int, int]:
        await checkpoint()
        users = [
            kept.session.user_id
            for kept in self._kept.values()
            if _is_in(kept.session, scope) and kept.session.state is not SessionState.ENDED
        ]
        return users.count(user_id), len(users)

    async def journal(
        self, session_id: SessionId, /, scope: Scope, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[JournalEntry]:
        await checkpoint()
        entries = self._find(session_id, scope).journal
        return tuple(entry for entry in entries if entry.seq > after)[:limit]

    async def delete(self, session_id: SessionId, /, scope: Scope, *, tombstone: Tombstone) -> None:
        await checkpoint()
        self._find(session_id, scope)
        del self._kept[session_id]
        for kept in self._kept.values():
            if kept.session.previous_session_id == session_id:
                kept.session = evolve(kept.session, previous_session_id=None)
        self._tombstones.append(tombstone)

    async def tombstones(self, scope: Scope) -> Sequence[Tombstone]:
        """Return what is left of deleted sessions, in the order of their deletion."""
        await checkpoint()
        return tuple(t for t in self._tombstones if scope.tenant_id in (None, t.tenant_id))

    # --- leases and running stats --------------------------------------------------------------

    async def take_lease(
        self, session_id: SessionId, /, scope: Scope, *, worker_id: str, duration: timedelta
    ) -> Lease:
        await checkpoint()
        kept = self._find(session_id, scope)
        if kept.session.state is SessionState.ENDED:
            raise SessionNotActive(f"session {session_id} has ended")
        lease = Lease(
            session_id=session_id,
            worker_id=worker_id,
            epoch=kept.session.epoch + 1,
            expires_at=_now() + duration,
        )
        kept.session = evolve(
            kept.session,
            worker_id=worker_id,
            epoch=lease.epoch,
            lease_expires_at=lease.expires_at,
        )
        return lease

    async def renew_leases(
        self, held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        await checkpoint()
        renewed: dict[SessionId, int] = {}
        for session_id, epoch in held.items():
            kept = self._owned(session_id, epoch)
            if kept is not None and kept.session.worker_id is not None:
                kept.session = evolve(kept.session, lease_expires_at=_now() + duration)
                renewed[session_id] = kept.session.seq
        return renewed

    async def release_lease(self, session_id: SessionId, /, *, epoch: int) -> None:
        await checkpoint()
        if (kept := self._owned(session_id, epoch)) is not None:
            kept.session = evolve(kept.session, worker_id=None, lease_expires_at=None)

    async def write_stats(self, stats: Mapping[SessionId, RunningStats], /) -> None:
        await checkpoint()
        for session_id, counted in stats.items():
            if (kept := self._owned(session_id, counted.epoch)) is not None:
                kept.session = evolve(
                    kept.session,
                    audio_duration_us=counted.audio_duration_us,
                    audio_chunks_received=counted.audio_chunks_received,
                    audio_chunks_processed=counted.audio_chunks_processed,
                    audio_used_us=counted.audio_used_us,
                    transcript_partial=counted.transcript_partial,
                )

    # --- transcripts ---------------------------------------------------------------------------

    async def utterances(self, session_id: SessionId, /, scope: Scope) -> Sequence[Utterance]:
        await checkpoint()
        kept = self._find(session_id, scope)
        return tuple(sorted(kept.utterances.values(), key=lambda u: (u.start_us, u.id)))

    async def delete_utterances(self, session_id: SessionId, /, scope: Scope) -> None:
        await checkpoint()
        self._find(session_id, scope).utterances.clear()

    # --- inside --------------------------------------------------------------------------------

    def _find(self, session_id: SessionId, scope: Scope) -> _Kept:
        kept = self._kept.get(session_id)
        if kept is None or not _is_in(kept.session, scope):
            raise SessionNotFound(session_id)
        return kept

    def _owned(self, session_id: SessionId, epoch: int) -> _Kept | None:
        kept = self._kept.get(session_id)
        return kept if kept is not None and kept.session.epoch == epoch else None


def _check(stored: Session, change: Change) -> None:
    if change.epoch is not None and stored.epoch != change.epoch:
        raise LeaseLost(stored.id, change.epoch)
    if change.expected_seq is not None and stored.seq != change.expected_seq:
        raise VersionConflict(stored.id, change.expected_seq)


def _merged(stored: Session, change: Change) -> Session:
    """The new snapshot, with what a commit may not bring back as it is stored."""
    has_ended = change.session.state is SessionState.ENDED
    merged = evolve(
        change.session,
        worker_id=None if has_ended else stored.worker_id,
        lease_expires_at=None if has_ended else stored.lease_expires_at,
        epoch=stored.epoch,
    )
    if change.epoch is not None:
        return merged
    return evolve(
        merged,
        audio_duration_us=stored.audio_duration_us,
        audio_chunks_received=stored.audio_chunks_received,
        audio_chunks_processed=stored.audio_chunks_processed,
        audio_used_us=stored.audio_used_us,
    )


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


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a store stamps its own time
