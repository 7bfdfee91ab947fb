"""
Sessions in one SQLite file: durable (WAL, synchronous=FULL), for one machine.

Several processes may share the file. Runs on asyncio and on Trio.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from ...core.errors import (
    LeaseLost,
    SessionExists,
    SessionNotActive,
    SessionNotFound,
    StoreError,
    VersionConflict,
)
from ...core.identity import SessionId
from ...core.instants import to_us
from ...core.journal import JournalEntry
from ...core.session import Session
from ...core.states import SessionState
from ...core.utterance import Utterance
from ...ports.storage import (
    MAX_PAGE,
    Change,
    Lease,
    Page,
    RunningStats,
    Scope,
    SessionQuery,
    Tombstone,
)
from ..codec import (
    entry_text,
    parse_entry,
    parse_session,
    parse_tombstone,
    parse_utterance,
    session_document,
    tombstone_document,
    utterance_document,
)
from ..pages import page_of, position_of
from . import statements
from .connections import Connections
from .schema import METADATA, VERSION

__all__ = ("SqliteStorage",)

_US_PER_S: Final = 1_000_000
_US_PER_MINUTE: Final = 60 * _US_PER_S


class SqliteStorage:
    """Keeps everything in the file at *path*; opens it at ``async with``, and makes the tables.

    Raises, when it is opened:
        StoreError: The file cannot be opened, is no database, or a newer library wrote it.
            Nothing is left behind of a file that was made for it.
    """

    def __init__(self, path: Path) -> None:
        self._connections = Connections(path)

    @property
    def sessions(self) -> SqliteStorage:
        return self

    @property
    def transcripts(self) -> SqliteStorage:
        return self

    async def __aenter__(self) -> Self:
        await self._connections.open(_make_tables)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self._connections.aclose()

    # --- sessions --------------------------------------------------------------------------

    async def commit(self, change: Change, /) -> None:
        await self._connections.write(lambda db: _commit(db, change))

    async def load(self, session_id: SessionId, /, scope: Scope) -> Session:
        return await self._connections.read(lambda db: _load(db, session_id, scope))

    async def find(self, query: SessionQuery, /, scope: Scope) -> Page:
        position = position_of(query)
        text, values = statements.find(query, position, scope)

        def read(db: sqlite3.Connection) -> list[Session]:
            return [parse_session(row) for row in db.execute(text, values)]

        return page_of(query, position, await self._connections.read(read))

    async def count_open(self, scope: Scope, *, user_id: str | None) -> tuple[int, int]:
        values = {"of_tenant": scope.tenant_id, "ended": SessionState.ENDED.value}

        def read(db: sqlite3.Connection) -> dict[str | None, int]:
            return dict(db.execute(statements.COUNT_OPEN, values).fetchall())

        open_of = await self._connections.read(read)
        return open_of.get(user_id, 0), sum(open_of.values())

    async def journal(
        self, session_id: SessionId, /, scope: Scope, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[JournalEntry]:
        values = {"session_id": session_id, "after": after, "at_most": limit}

        def read(db: sqlite3.Connection) -> tuple[JournalEntry, ...]:
            _load(db, session_id, scope)
            rows = db.execute(statements.READ_JOURNAL, values)
            return tuple(parse_entry(row["entry"]) for row in rows)

        return await self._connections.read(read)

    async def delete(self, session_id: SessionId, /, scope: Scope, *, tombstone: Tombstone) -> None:
        def write(db: sqlite3.Connection) -> None:
            _load(db, session_id, scope)
            db.execute(statements.DELETE_SESSION, _named(session_id, scope))
            db.execute(statements.PUT_TOMBSTONE, tombstone_document(tombstone))

        await self._connections.write(write)

    async def tombstones(self, scope: Scope) -> Sequence[Tombstone]:
        """Return what is left of deleted sessions, in the order of their deletion."""
        values = {"of_tenant": scope.tenant_id}

        def read(db: sqlite3.Connection) -> tuple[Tombstone, ...]:
            rows = db.execute(statements.READ_TOMBSTONES, values)
            return tuple(parse_tombstone(row) for row in rows)

        return await self._connections.read(read)

    # --- leases and running stats --------------------------------------------------------------

    async def take_lease(
        self, session_id: SessionId, /, scope: Scope, *, worker_id: str, duration: timedelta
    ) -> Lease:
        def write(db: sqlite3.Connection) -> Lease:
            if _load(db, session_id, scope).state is SessionState.ENDED:
                raise SessionNotActive(f"session {session_id} has ended")
            until = _now() + duration
            values = {"session_id": session_id, "worker": worker_id, "until": to_us(until)}
            (epoch,) = db.execute(statements.TAKE_LEASE, values).fetchone()
            return Lease(session_id=session_id, worker_id=worker_id, epoch=epoch, expires_at=until)

        return await self._connections.write(write)

    async def renew_leases(
        self, held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        def write(db: sqlite3.Connection) -> dict[SessionId, int]:
            until = to_us(_now() + duration)
            renewed: dict[SessionId, int] = {}
            for session_id, epoch in held.items():
                values = {"session_id": session_id, "of_epoch": epoch, "until": until}
                if (row := db.execute(statements.RENEW_LEASE, values).fetchone()) is not None:
                    renewed[session_id] = row["seq"]
            return renewed

        return await self._connections.write(write)

    async def release_lease(self, session_id: SessionId, /, *, epoch: int) -> None:
        values = {"session_id": session_id, "of_epoch": epoch}

        def write(db: sqlite3.Connection) -> None:
            db.execute(statements.DROP_LEASE, values)

        await self._connections.write(write)

    async def write_stats(self, stats: Mapping[SessionId, RunningStats], /) -> None:
        rows = [_stats_values(session_id, counted) for session_id, counted in stats.items()]

        def write(db: sqlite3.Connection) -> None:
            db.executemany(statements.WRITE_STATS, rows)

        await self._connections.write(write)

    # --- transcripts ---------------------------------------------------------------------------

    async def utterances(self, session_id: SessionId, /, scope: Scope) -> Sequence[Utterance]:
        def read(db: sqlite3.Connection) -> tuple[Utterance, ...]:
            _load(db, session_id, scope)
            rows = db.execute(statements.READ_UTTERANCES, {"session_id": session_id})
            return tuple(parse_utterance(row) for row in rows)

        return await self._connections.read(read)

    async def delete_utterances(self, session_id: SessionId, /, scope: Scope) -> None:
        def write(db: sqlite3.Connection) -> None:
            _load(db, session_id, scope)
            db.execute(statements.DELETE_UTTERANCES, {"session_id": session_id})

        await self._connections.write(write)


def _make_tables(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StoreError(
            f"the database has schema {version} and this library knows {VERSION}: upgrade the library"
        )
    if version == VERSION:
        return
    sqlite = dialect()
    for table in METADATA.sorted_tables:
        db.execute(str(CreateTable(table).compile(dialect=sqlite)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            db.execute(str(CreateIndex(index).compile(dialect=sqlite)))
    db.execute(f"PRAGMA user_version = {VERSION}")


def _commit(db: sqlite3.Connection, change: Change) -> None:
    session = change.session
    if change.expected_seq is None:
        _insert(db, session)
    else:
        _update(db, change, change.expected_seq)
    db.executemany(
        statements.INSERT_ENTRY,
        [
            {"session_id": session.id, "seq": entry.seq, "entry": entry_text(entry)}
            for entry in change.entries
        ],
    )
    db.executemany(
        statements.PUT_UTTERANCE,
        [utterance_document(said) | {"session_id": session.id} for said in change.utterances],
    )
    if session.state is SessionState.ENDED:
        db.execute(statements.DROP_ANY_LEASE, {"session_id": session.id})


def _insert(db: sqlite3.Connection, session: Session) -> None:
    if db.execute("SELECT 1 FROM voice_sessions WHERE id = ?", (session.id,)).fetchone():
        raise SessionExists(session.id)
    db.execute(statements.INSERT_SESSION, session_document(session))


def _update(db: sqlite3.Connection, change: Change, expected_seq: int) -> None:
    session = change.session
    stored = _load(db, session.id, Scope(session.tenant_id))
    if change.epoch is not None and stored.epoch != change.epoch:
        raise LeaseLost(session.id, change.epoch)
    by_owner = change.epoch is not None
    text = statements.UPDATE_BY_OWNER if by_owner else statements.UPDATE_BY_OTHERS
    values = {f"new_{name}": value for name, value in session_document(session).items()}
    updated = db.execute(text, values | {"session_id": session.id, "of_seq": expected_seq})
    if updated.rowcount == 0:
        raise VersionConflict(session.id, expected_seq)


def _load(db: sqlite3.Connection, session_id: SessionId, scope: Scope) -> Session:
    row = db.execute(statements.LOAD, _named(session_id, scope)).fetchone()
    if row is None:
        raise SessionNotFound(session_id)
    return parse_session(row)


def _named(session_id: SessionId, scope: Scope) -> dict[str, Any]:
    return {"session_id": session_id, "of_tenant": scope.tenant_id}


def _stats_values(session_id: SessionId, counted: RunningStats) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "of_epoch": counted.epoch,
        "new_audio_duration_seconds": counted.audio_duration_us / _US_PER_S,
        "new_audio_chunks_received": counted.audio_chunks_received,
        "new_audio_chunks_processed": counted.audio_chunks_processed,
        "new_audio_minutes_used": counted.audio_used_us / _US_PER_MINUTE,
        "new_transcript_partial": counted.transcript_partial,
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a store stamps its own time
