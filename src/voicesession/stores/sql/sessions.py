"""Sessions and their words in a relational database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import BigInteger, String, and_, bindparam, delete, func, insert, select

from ...core.errors import SessionNotFound
from ...core.identity import SessionId
from ...core.journal import JournalEntry
from ...core.session import Session
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
from ..arguments import (
    check_journal_range,
    check_page,
    check_query,
    check_stats,
    check_user_id,
    check_worker_id,
    lease_end,
)
from ..changes import check_change
from ..codec import (
    Document,
    Stored,
    parse_entry,
    parse_session,
    parse_tombstone,
    parse_utterance,
    tombstone_document,
)
from ..pages import page_of, position_of
from ..present import present
from . import leases, lists
from .commits import THE_SESSION, named, standing
from .database import Database, Script
from .schema import JOURNAL, SESSIONS, TOMBSTONES, UTTERANCES
from .statement import Statement, Values, all_of, first, names_of, stored

__all__ = ("SqlSessions",)

_S: Final = SESSIONS.c
_OF_TENANT: Final = bindparam("of_tenant", type_=String())

_LOAD: Final = Statement(lambda sql: select(*all_of(sql, SESSIONS)).where(THE_SESSION))
_DELETE: Final = Statement(lambda _: delete(SESSIONS).where(_S.id == bindparam("session_id")))
# A session without a row of the kind gives one row of nothing: so it is told from none.
_READ_JOURNAL: Final = Statement(
    lambda sql: first(
        select(sql.shown(JOURNAL.c.entry).label("entry"))
        .select_from(SESSIONS)
        .outerjoin(
            JOURNAL,
            and_(
                JOURNAL.c.session_id == _S.id,
                JOURNAL.c.seq > bindparam("after", type_=BigInteger()),
            ),
        )
        .where(THE_SESSION)
        .order_by(JOURNAL.c.seq)
    )
)
_READ_UTTERANCES: Final = Statement(
    lambda sql: (
        select(*all_of(sql, UTTERANCES))
        .select_from(SESSIONS)
        .outerjoin(UTTERANCES, UTTERANCES.c.session_id == _S.id)
        .where(THE_SESSION)
        .order_by(UTTERANCES.c.start_us, UTTERANCES.c.place, UTTERANCES.c.id)
    )
)
_DELETE_UTTERANCES: Final = Statement(
    lambda _: delete(UTTERANCES).where(UTTERANCES.c.session_id == bindparam("session_id"))
)
_PUT_TOMBSTONE: Final = Statement(
    lambda sql: insert(TOMBSTONES).values(
        stored(sql, TOMBSTONES, (name for name in names_of(TOMBSTONES) if name != "place"))
    )
)
_READ_TOMBSTONES: Final = Statement(
    lambda _: (
        select(TOMBSTONES)
        .where(func.coalesce(_OF_TENANT, TOMBSTONES.c.tenant_id) == TOMBSTONES.c.tenant_id)
        .order_by(TOMBSTONES.c.place)
    )
)


class SqlSessions:
    """See `SessionStore`, `TranscriptStore` and `TombstoneReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- sessions --------------------------------------------------------------------------

    async def commit(self, change: Change, /) -> None:
        check_change(change)
        await self._database.commit(change)

    async def load(self, session_id: SessionId, /, scope: Scope) -> Session:
        return await self._database.ask(lambda: _load(session_id, scope))

    async def find(self, query: SessionQuery, /, scope: Scope) -> Page:
        check_query(query)
        position = position_of(query)
        statement, values = lists.page(query, position, scope)
        found = await self._database.ask(lambda: _rows(statement, values))
        return page_of(query, position, [parse_session(row) for row in found])

    async def count_open(self, scope: Scope, *, user_id: str | None) -> tuple[int, int]:
        check_user_id(user_id)
        values: Document = {"of_user": user_id}
        statement = lists.COUNT_ALL_OPEN
        if scope.tenant_id is not None:
            statement, values["of_tenant"] = lists.COUNT_OPEN, scope.tenant_id
        (counted,) = await self._database.ask(lambda: _rows(statement, values))
        return counted["of_user"], counted["of_all"]

    async def journal(
        self, session_id: SessionId, /, scope: Scope, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[JournalEntry]:
        check_journal_range(after, limit)
        values = named(session_id, scope) | {"after": after, "at_most": limit}
        rows = await self._database.ask(lambda: _rows(_READ_JOURNAL, values))
        return tuple(parse_entry(row["entry"]) for row in _of(session_id, rows, "entry"))

    async def delete(self, session_id: SessionId, /, scope: Scope, *, tombstone: Tombstone) -> None:
        name = named(session_id, scope)
        await self._database.erase(lambda: _delete(name, tombstone))

    async def tombstones(self, scope: Scope, /) -> Sequence[Tombstone]:
        """Return what is left of deleted sessions, in the order of their deletion."""
        values = {"of_tenant": scope.tenant_id}
        rows = await self._database.ask(lambda: _rows(_READ_TOMBSTONES, values))
        return tuple(parse_tombstone(row) for row in rows)

    # --- leases and running stats --------------------------------------------------------------

    async def take_lease(
        self, session_id: SessionId, /, scope: Scope, *, worker_id: str, duration: timedelta
    ) -> Lease:
        check_worker_id(worker_id)
        _check_lease(duration)
        name = named(session_id, scope)
        return await self._database.write(lambda: leases.take(name, worker_id, duration))

    async def take_due(
        self, *, worker_id: str, duration: timedelta, limit: int = MAX_PAGE
    ) -> Sequence[DueSession]:
        check_worker_id(worker_id)
        check_page(limit)
        _check_lease(duration)
        return await self._database.write(lambda: leases.take_due(worker_id, duration, limit))

    async def renew_leases(
        self, held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        _check_lease(duration)
        return await self._database.write(lambda: leases.renew(held, duration))

    async def release_lease(self, session_id: SessionId, /, *, epoch: int) -> None:
        await self._database.write(lambda: leases.release(session_id, epoch))

    async def write_stats(self, stats: Mapping[SessionId, RunningStats], /) -> None:
        check_stats(stats)
        await self._database.write(lambda: leases.count(stats))

    # --- transcripts ---------------------------------------------------------------------------

    async def utterances(self, session_id: SessionId, /, scope: Scope) -> Sequence[Utterance]:
        values = named(session_id, scope)
        rows = await self._database.ask(lambda: _rows(_READ_UTTERANCES, values))
        return tuple(parse_utterance(row) for row in _of(session_id, rows, "id"))

    async def delete_utterances(self, session_id: SessionId, /, scope: Scope) -> None:
        name = named(session_id, scope)
        await self._database.erase(lambda: _delete_utterances(name))


def _rows(statement: Statement, values: Values) -> Script[Sequence[Stored]]:
    return (yield statement, values)


def _of(session_id: SessionId, rows: Sequence[Stored], key: str) -> Sequence[Stored]:
    if not rows:
        raise SessionNotFound(session_id)
    return [row for row in rows if row[key] is not None]


def _load(session_id: SessionId, scope: Scope) -> Script[Session]:
    rows = yield _LOAD, named(session_id, scope)
    if not rows:
        raise SessionNotFound(session_id)
    return parse_session(rows[0])


def _delete(name: Document, tombstone: Tombstone) -> Script[None]:
    yield from standing(name)
    yield _DELETE, name
    yield _PUT_TOMBSTONE, tombstone_document(tombstone)


def _delete_utterances(name: Document) -> Script[None]:
    yield from standing(name)
    yield _DELETE_UTTERANCES, name


def _check_lease(duration: timedelta) -> None:
    lease_end(present(), duration)
