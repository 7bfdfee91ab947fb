"""Every statement, written with SQLAlchemy Core and compiled once to SQLite's own text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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
    text,
    update,
)
from sqlalchemy.dialects.sqlite import dialect, insert as upsert
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import ClauseElement, ColumnElement

from ..changes import COUNTED, FIXED, LEASE
from ..codec import stored_names
from .schema import IS_OPEN, JOURNAL, METADATA, SCHEMA, SESSIONS, TOMBSTONES, UTTERANCES

DIALECT: Final = dialect(paramstyle="named")

_FIXED: Final = stored_names(FIXED | LEASE)
_COUNTED: Final = stored_names(COUNTED)


def _text(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=DIALECT))


_S: Final = SESSIONS.c
_OF_TENANT: Final = bindparam("of_tenant", type_=String())
_THE_SESSION: Final = and_(
    _S.id == bindparam("session_id"),
    func.coalesce(_OF_TENANT, _S.tenant_id) == _S.tenant_id,
)
_THE_OWNED: Final = and_(_S.id == bindparam("session_id"), _S.epoch == bindparam("of_epoch"))


def _made() -> Iterator[str]:
    for table in METADATA.sorted_tables:
        yield _text(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield _text(CreateIndex(index))


def _changed(left_out: frozenset[str]) -> str:
    names = [column.name for column in SESSIONS.columns if column.name not in left_out]
    return _text(
        update(SESSIONS)
        .where(_S.id == bindparam("session_id"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )


def _counted(*conditions: ColumnElement[bool]) -> str:
    of_user = func.count().filter(_S.user_id.is_not_distinct_from(bindparam("of_user")))
    return _text(select(of_user, func.count()).where(text(IS_OPEN), *conditions))


MAKE_TABLES: Final = tuple(_made())
READ_VERSION: Final = _text(select(func.max(SCHEMA.c.version)))
WRITE_VERSION: Final = _text(insert(SCHEMA))

INSERT_SESSION: Final = _text(insert(SESSIONS))
UPDATE_BY_OWNER: Final = _changed(_FIXED)
UPDATE_BY_OTHERS: Final = _changed(_FIXED | _COUNTED)
LOAD: Final = _text(select(SESSIONS).where(_THE_SESSION))
STANDING: Final = _text(select(_S.state, _S.seq, _S.epoch).where(_THE_SESSION))
ID_IS_TAKEN: Final = _text(select(_S.id).where(_S.id == bindparam("session_id")))
ROOM_IS_TAKEN: Final = _text(
    select(_S.id).where(_S.room_name == bindparam("room"), _S.id != bindparam("session_id"))
)
DELETE_SESSION: Final = _text(delete(SESSIONS).where(_S.id == bindparam("session_id")))
COUNT_OPEN: Final = _counted(_S.tenant_id == bindparam("of_tenant"))
COUNT_ALL_OPEN: Final = _counted()

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
    .returning(_S.id, _S.seq)
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
