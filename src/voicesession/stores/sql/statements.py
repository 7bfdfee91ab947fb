"""Every statement, written with SQLAlchemy Core and compiled once to SQLite's own text."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import (
    Integer,
    String,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import dialect, insert as upsert
from sqlalchemy.sql import ClauseElement, ColumnElement

from ...core.instants import to_us
from ...ports.storage import Order, Scope, SessionQuery
from ..pages import Position
from .schema import JOURNAL, SESSIONS, TOMBSTONES, UTTERANCES

_DIALECT: Final = dialect(paramstyle="named")

_LEASE: Final = frozenset({"worker_id", "epoch", "lease_expires_at"})
_COUNTED: Final = frozenset(
    {
        "audio_duration_seconds",
        "audio_chunks_received",
        "audio_chunks_processed",
        "audio_minutes_used",
    }
)


def _text(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=_DIALECT))


_S: Final = SESSIONS.c
_OF_TENANT: Final = bindparam("of_tenant", type_=String())
_THE_SESSION: Final = and_(
    _S.id == bindparam("session_id"),
    func.coalesce(_OF_TENANT, _S.tenant_id) == _S.tenant_id,
)
_THE_OWNED: Final = and_(_S.id == bindparam("session_id"), _S.epoch == bindparam("of_epoch"))


def _changed(left_out: frozenset[str]) -> str:
    names = [c.name for c in SESSIONS.columns if c.name not in left_out | {"id", "tenant_id"}]
    unchanged = and_(_S.id == bindparam("session_id"), _S.seq == bindparam("of_seq"))
    return _text(
        update(SESSIONS).where(unchanged).values({name: bindparam(f"new_{name}") for name in names})
    )


INSERT_SESSION: Final = _text(insert(SESSIONS))
UPDATE_BY_OWNER: Final = _changed(_LEASE)
UPDATE_BY_OTHERS: Final = _changed(_LEASE | _COUNTED)
LOAD: Final = _text(select(SESSIONS).where(_THE_SESSION))
DELETE_SESSION: Final = _text(delete(SESSIONS).where(_THE_SESSION))
COUNT_OPEN: Final = _text(
    select(_S.user_id, func.count())
    .where(
        func.coalesce(_OF_TENANT, _S.tenant_id) == _S.tenant_id,
        _S.state != bindparam("ended"),
    )
    .group_by(_S.user_id)
)

INSERT_ENTRY: Final = _text(insert(JOURNAL))
READ_JOURNAL: Final = _text(
    select(JOURNAL.c.entry)
    .where(JOURNAL.c.session_id == bindparam("session_id"), JOURNAL.c.seq > bindparam("after"))
    .order_by(JOURNAL.c.seq)
    .limit(bindparam("at_most"))
    .offset(literal_column("0", Integer))
)

_SAID: Final = upsert(UTTERANCES)
PUT_UTTERANCE: Final = _text(
    _SAID.on_conflict_do_update(
        index_elements=["session_id", "id"],
        set_={
            c.name: _SAID.excluded[c.name]
            for c in UTTERANCES.columns
            if c.name not in {"session_id", "id"}
        },
    )
)
READ_UTTERANCES: Final = _text(
    select(UTTERANCES)
    .where(UTTERANCES.c.session_id == bindparam("session_id"))
    .order_by(UTTERANCES.c.start_us, UTTERANCES.c.id)
)
DELETE_UTTERANCES: Final = _text(
    delete(UTTERANCES).where(UTTERANCES.c.session_id == bindparam("session_id"))
)

DROP_LEASE: Final = _text(
    update(SESSIONS).where(_THE_OWNED).values(worker_id=null(), lease_expires_at=null())
)
DROP_ANY_LEASE: Final = _text(
    update(SESSIONS)
    .where(_S.id == bindparam("session_id"))
    .values(worker_id=null(), lease_expires_at=null())
)
TAKE_LEASE: Final = _text(
    update(SESSIONS)
    .where(_S.id == bindparam("session_id"))
    .values(
        worker_id=bindparam("worker"),
        epoch=_S.epoch + literal_column("1", Integer),
        lease_expires_at=bindparam("until"),
    )
    .returning(_S.epoch)
)
RENEW_LEASE: Final = _text(
    update(SESSIONS)
    .where(_THE_OWNED, _S.worker_id.is_not(None))
    .values(lease_expires_at=bindparam("until"))
    .returning(_S.seq)
)
WRITE_STATS: Final = _text(
    update(SESSIONS)
    .where(_THE_OWNED)
    .values({n: bindparam(f"new_{n}") for n in (*sorted(_COUNTED), "transcript_partial")})
)

PUT_TOMBSTONE: Final = _text(
    insert(TOMBSTONES).values(
        {c.name: bindparam(c.name) for c in TOMBSTONES.columns if c.name != "place"}
    )
)
READ_TOMBSTONES: Final = _text(
    select(TOMBSTONES)
    .where(func.coalesce(_OF_TENANT, TOMBSTONES.c.tenant_id) == TOMBSTONES.c.tenant_id)
    .order_by(TOMBSTONES.c.place)
)


def find(
    query: SessionQuery, position: Position | None, scope: Scope
) -> tuple[str, dict[str, Any]]:
    """Return the statement for one page of *query*, one row more than its limit, and its values."""
    ascending = query.order is Order.OLDEST_FIRST if position is None else position.ascending
    place = (_S.listed_at.asc(), _S.id.asc()) if ascending else (_S.listed_at.desc(), _S.id.desc())
    statement = (
        select(SESSIONS)
        .where(*_filters(query, scope), *_beside(position))
        .order_by(*place)
        .limit(query.limit + 1)
        .offset(query.offset)
    )
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled), dict(compiled.params)


def _filters(query: SessionQuery, scope: Scope) -> list[ColumnElement[bool]]:
    wanted: dict[ColumnElement[Any], Any] = {
        _S.tenant_id: scope.tenant_id,
        _S.state: query.state,
        _S.status: query.status,
        _S.user_id: query.user_id,
        _S.mode: query.mode,
    }
    filters = [column == str(value) for column, value in wanted.items() if value is not None]
    if query.since is not None:
        filters.append(_S.listed_at >= to_us(query.since))
    if query.until is not None:
        filters.append(_S.listed_at < to_us(query.until))
    for key, value in query.metadata.items():
        path = "$." + json.dumps(key, ensure_ascii=False)
        filters.append(func.json_type(_S.metadata, path) == "text")
        filters.append(func.json_extract(_S.metadata, path) == value)
    return filters


def _beside(position: Position | None) -> list[ColumnElement[bool]]:
    if position is None:
        return []
    # Written out, because a comparison of rows keeps SQLite from using the index for both.
    at, beside = _S.listed_at, position.listed_us
    if position.ascending:
        return [at >= beside, (at > beside) | (_S.id > position.session_id)]
    return [at <= beside, (at < beside) | (_S.id < position.session_id)]
