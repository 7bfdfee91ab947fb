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
from typing import Self

from ...core.errors import SessionExists, SessionNotActive, SessionNotFound, StoreError
from ...core.identity import SessionId
from ...core.instants import to_us
from ...core.journal import JournalEntry
from ...core.session import Session
from ...core.states import SessionState
from ...core.text import storable_text
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
from ..arguments import (
    check_journal_range,
    check_query,
    check_session_id,
    check_stats,
    check_user_id,
    check_worker_id,
    lease_end,
)
from ..changes import check_change, check_standing, created, room_is_taken
from ..codec import (
    Document,
    entry_text,
    parse_entry,
    parse_session,
    parse_tombstone,
    parse_utterance,
    session_document,
    stats_document,
    tombstone_document,
    utterance_document,
)
from ..pages import page_of, position_of
from . import lists, statements
from .connections import Connections
from .schema import SCHEMA, VERSION

__all__ = ("SqliteStorage",)


class SqliteStorage:
    """Keeps everything in the file at *path*; opens it at ``async with``, and makes the tables.

    Raises, when it is opened:
        StoreError: The file cannot be opened, is no database, or a newer library wrote it.
            Nothing is left behind of a file that was made for it.
    """

    def __init__(self, path: Path) -> None:
        storable_text(str(path), "path")
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
        check_change(change)
        await self._connections.write(lambda db: _commit(db, change))

    async def load(self, session_id: SessionId, /, scope: Scope) -> Session:
        named = _named(session_id, scope)

        def read(db: sqlite3.Connection) -> Session:
            row = db.execute(statements.LOAD, named).fetchone()
            if row is None:
                raise SessionNotFound(session_id)
            return parse_session(row)

        return await self._connections.read(read)

    async def find(self, query: SessionQuery, /, scope: Scope) -> Page:
        check_query(query)
        position = position_of(query)
        statement, values = lists.page(query, position, scope)

        def read(db: sqlite3.Connection) -> list[Session]:
            return [parse_session(row) for row in _all(db, statement, values)]

        return page_of(query, position, await self._connections.read(read))

    async def count_open(self, scope: Scope, *, user_id: str | None) -> tuple[int, int]:
        check_user_id(user_id)
        values = {"of_tenant": scope.tenant_id, "of_user": user_id}
        statement = statements.COUNT_OPEN if scope.tenant_id else statements.COUNT_ALL_OPEN

        def read(db: sqlite3.Connection) -> tuple[int, int]:
            of_user, of_all = db.execute(statement, values).fetchone()
            return of_user, of_all

        return await self._connections.read(read)

    async def journal(
        self, session_id: SessionId, /, scope: Scope, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[JournalEntry]:
        check_journal_range(after, limit)
        named = _named(session_id, scope)

        def read(db: sqlite3.Connection) -> tuple[JournalEntry, ...]:
            _standing(db, named)
            rows = _all(db, statements.READ_JOURNAL, named | {"after": after, "at_most": limit})
            return tuple(parse_entry(row["entry"]) for row in rows)

        return await self._connections.read(read)

    async def delete(self, session_id: SessionId, /, scope: Scope, *, tombstone: Tombstone) -> None:
        named = _named(session_id, scope)

        def write(db: sqlite3.Connection) -> None:
            _standing(db, named)
            db.execute(statements.DELETE_SESSION, named)
            db.execute(statements.PUT_TOMBSTONE, tombstone_document(tombstone))

        await self._connections.erase(write)

    async def tombstones(self, scope: Scope, /) -> Sequence[Tombstone]:
        """Return what is left of deleted sessions, in the order of their deletion."""
        values = {"of_tenant": scope.tenant_id}

        def read(db: sqlite3.Connection) -> tuple[Tombstone, ...]:
            rows = _all(db, statements.READ_TOMBSTONES, values)
            return tuple(parse_tombstone(row) for row in rows)

        return await self._connections.read(read)

    # --- leases and running stats --------------------------------------------------------------

    async def take_lease(
        self, session_id: SessionId, /, scope: Scope, *, worker_id: str, duration: timedelta
    ) -> Lease:
        check_worker_id(worker_id)
        lease_end(_now(), duration)
        named = _named(session_id, scope)

        def write(db: sqlite3.Connection) -> Lease:
            if _standing(db, named)["state"] == SessionState.ENDED:
                raise SessionNotActive(f"session {session_id} has ended")
            until = lease_end(_now(), duration)
            values = named | {"worker": worker_id, "until": to_us(until)}
            (epoch,) = db.execute(statements.TAKE_LEASE, values).fetchone()
            return Lease(session_id=session_id, worker_id=worker_id, epoch=epoch, expires_at=until)

        return await self._connections.write(write)

    async def renew_leases(
        self, held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        lease_end(_now(), duration)
        owned = [_owned(session_id, epoch) for session_id, epoch in held.items()]

        def write(db: sqlite3.Connection) -> dict[SessionId, int]:
            until = to_us(lease_end(_now(), duration))
            renewed: dict[SessionId, int] = {}
            for values in owned:
                row = db.execute(statements.RENEW_LEASE, values | {"until": until}).fetchone()
                if row is not None:
                    renewed[row["id"]] = row["seq"]
            return renewed

        return await self._connections.write(write)

    async def release_lease(self, session_id: SessionId, /, *, epoch: int) -> None:
        values = _owned(session_id, epoch)

        def write(db: sqlite3.Connection) -> None:
            db.execute(statements.DROP_LEASE, values)

        await self._connections.write(write)

    async def write_stats(self, stats: Mapping[SessionId, RunningStats], /) -> None:
        check_stats(stats)
        rows = [
            _owned(session_id, counted.epoch) | _new(stats_document(counted))
            for session_id, counted in stats.items()
        ]

        def write(db: sqlite3.Connection) -> None:
            db.executemany(statements.WRITE_STATS, rows)

        await self._connections.write(write)

    # --- transcripts ---------------------------------------------------------------------------

    async def utterances(self, session_id: SessionId, /, scope: Scope) -> Sequence[Utterance]:
        named = _named(session_id, scope)

        def read(db: sqlite3.Connection) -> tuple[Utterance, ...]:
            _standing(db, named)
            rows = _all(db, statements.READ_UTTERANCES, named)
            return tuple(parse_utterance(row) for row in rows)

        return await self._connections.read(read)

    async def delete_utterances(self, session_id: SessionId, /, scope: Scope) -> None:
        named = _named(session_id, scope)

        def write(db: sqlite3.Connection) -> None:
            _standing(db, named)
            db.execute(statements.DELETE_UTTERANCES, named)

        await self._connections.erase(write)


def _make_tables(db: sqlite3.Connection) -> None:
    found = db.execute(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (SCHEMA.name,)
    ).fetchone()
    if found is not None:
        (version,) = db.execute(statements.READ_VERSION).fetchone()
        if version > VERSION:
            raise StoreError(
                f"the database has schema {version} and this library knows {VERSION}: "
                "upgrade the library"
            )
        return
    for statement in statements.MAKE_TABLES:
        db.execute(statement)
    db.execute(statements.WRITE_VERSION, {"version": VERSION})


def _commit(db: sqlite3.Connection, change: Change) -> None:
    session = change.session
    if change.expected_seq is None:
        _insert(db, session)
    else:
        _update(db, change)
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
    if db.execute(statements.ID_IS_TAKEN, {"session_id": session.id}).fetchone():
        raise SessionExists(session.id)
    if session.previous_session_id is not None:
        _standing(db, _named(session.previous_session_id, Scope(session.tenant_id)))
    _check_room(db, session)
    db.execute(statements.INSERT_SESSION, session_document(created(session)))


def _update(db: sqlite3.Connection, change: Change) -> None:
    session = change.session
    named = _named(session.id, Scope(session.tenant_id))
    stored = _standing(db, named)
    check_standing(change, seq=stored["seq"], epoch=stored["epoch"])
    _check_room(db, session)
    by_others = change.epoch is None
    statement = statements.UPDATE_BY_OTHERS if by_others else statements.UPDATE_BY_OWNER
    db.execute(statement, named | _new(session_document(session)))


def _check_room(db: sqlite3.Connection, session: Session) -> None:
    if session.room_name is not None:
        values = {"session_id": session.id, "room": session.room_name}
        if db.execute(statements.ROOM_IS_TAKEN, values).fetchone():
            raise room_is_taken(session.room_name)


def _all(db: sqlite3.Connection, statement: str, values: Document) -> list[sqlite3.Row]:
    # All at once: a cursor that an error leaves half read would hold on to its old snapshot.
    return db.execute(statement, values).fetchall()


def _standing(db: sqlite3.Connection, named: Document) -> sqlite3.Row:
    """State, seq and epoch of a session; refuses one that is not in the scope."""
    row: sqlite3.Row | None = db.execute(statements.STANDING, named).fetchone()
    if row is None:
        raise SessionNotFound(named["session_id"])
    return row


def _named(session_id: SessionId, scope: Scope) -> Document:
    check_session_id(session_id)
    return {"session_id": session_id, "of_tenant": scope.tenant_id}


def _owned(session_id: SessionId, epoch: int) -> Document:
    return {"session_id": session_id, "of_epoch": epoch}


def _new(document: Document) -> Document:
    return {f"new_{name}": value for name, value in document.items()}


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a store stamps its own time
