"""
Who runs a session, and what only its owner counts, in a relational database.

What is renewed or counted in bulk is one statement for all: it locks the rows in the order of
their ids, so that two of them never wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from attrs import asdict
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    literal_column,
    null,
    or_,
    select,
    update,
)

from ...core.errors import SessionNotActive
from ...core.identity import SessionId
from ...core.instants import from_us
from ...core.states import SessionState
from ...ports.storage import DueSession, Lease, RunningStats
from ..codec import Document, parse_session
from .commits import standing
from .database import Script
from .schema import SESSIONS
from .statement import SqlDialect, Statement, all_of, first

__all__ = ("count", "release", "renew", "take", "take_due")

_S: Final = SESSIONS.c
_ONE: Final[ColumnElement[int]] = literal_column("1", BigInteger())
_IS_IT: Final = _S.id == bindparam("session_id")
_LASTS_US: Final = bindparam("lasts_us", type_=BigInteger())
_OWNED: Final = (Column("id", Text), Column("epoch", BigInteger))
_COUNTED: Final = (
    Column("audio_duration_us", BigInteger),
    Column("audio_used_us", BigInteger),
    Column("audio_chunks_received", BigInteger),
    Column("audio_chunks_processed", BigInteger),
    Column("transcript_partial", Text),
)

_TAKE: Final = Statement(
    lambda sql: (
        update(SESSIONS)
        .where(_IS_IT)
        .values(
            worker_id=bindparam("worker"),
            epoch=_S.epoch + _ONE,
            lease_expires_at=sql.present_us + _LASTS_US,
        )
        .returning(_S.epoch, _S.lease_expires_at)
    )
)
_RELEASE: Final = Statement(
    lambda _: (
        update(SESSIONS)
        .where(_IS_IT, _S.epoch == bindparam("of_epoch"))
        .values(worker_id=null(), lease_expires_at=null())
    )
)
_WAITS_SINCE: Final = case((_S.worker_id.is_(None), _S.deadline_at), else_=_S.lease_expires_at)


def _due(sql: SqlDialect) -> Any:
    # Said with a bare column on the left, so that both indexes can be used.
    is_due = or_(
        and_(_S.worker_id.is_(None), _S.deadline_at <= sql.present_us),
        and_(_S.worker_id.is_not(None), _S.lease_expires_at <= sql.present_us),
    )
    return first(
        select(*all_of(sql, SESSIONS))
        .where(is_due)
        .order_by(_WAITS_SINCE, _S.id)
        .with_for_update(key_share=True, skip_locked=True)
    )


def _to_owned(sql: SqlDialect, *given: Column[Any]) -> tuple[Update, Any]:
    rows = sql.rows("rows", *_OWNED, *given)
    owned = (
        select(_S.id, _S.worker_id, *(rows.c[column.name] for column in given))
        .join_from(SESSIONS, rows, and_(_S.id == rows.c.id, _S.epoch == rows.c.epoch))
        .order_by(_S.id)
        .with_for_update(key_share=True, of=SESSIONS)
        .cte("owned")
    )
    return update(SESSIONS).where(_S.id == owned.c.id), owned.c


def _renew(sql: SqlDialect) -> Update:
    # Asked of what was locked: asked of the table, a planner whose statistics are from before the
    # first owner takes their index for empty, and compares each of them with each that is given.
    to_owned, locked = _to_owned(sql)
    return (
        to_owned.where(locked.worker_id.is_not(None))
        .values(lease_expires_at=sql.present_us + _LASTS_US)
        .returning(_S.id, _S.seq)
    )


def _count(sql: SqlDialect) -> Update:
    to_owned, given = _to_owned(sql, *_COUNTED)
    return to_owned.values(
        # The same division as the codec's, so that the same double comes of it.
        audio_duration_seconds=_as_float(given.audio_duration_us) / _exactly(1_000_000),
        audio_minutes_used=_as_float(given.audio_used_us) / _exactly(60_000_000),
        audio_chunks_received=given.audio_chunks_received,
        audio_chunks_processed=given.audio_chunks_processed,
        transcript_partial=given.transcript_partial,
    )


def _as_float(whole: ColumnElement[int]) -> ColumnElement[float]:
    return cast(whole, Float(53))


def _exactly(divisor: int) -> ColumnElement[float]:
    return cast(literal_column(str(divisor)), Float(53))


_DUE: Final = Statement(_due)
_RENEW: Final = Statement(_renew)
_COUNT: Final = Statement(_count)


def take(named: Document, worker_id: str, duration: timedelta) -> Script[Lease]:
    """Make *worker_id* the owner of the session that is named, whoever was."""
    if (yield from standing(named))["state"] == SessionState.ENDED:
        raise SessionNotActive(f"session {named['session_id']} has ended")
    return (yield from _take(named["session_id"], worker_id, duration))


def take_due(worker_id: str, duration: timedelta, limit: int) -> Script[tuple[DueSession, ...]]:
    """Make *worker_id* the owner of sessions that somebody must look at."""
    due = yield _DUE, {"at_most": limit}
    taken: list[DueSession] = []
    for session in map(parse_session, due):
        lease = yield from _take(session.id, worker_id, duration)
        taken.append(DueSession(session=session, lease=lease))
    return tuple(taken)


def renew(held: Mapping[SessionId, int], duration: timedelta) -> Script[Mapping[SessionId, int]]:
    """Renew every lease of *held* that is still the stored one; return the seqs of those."""
    rows = [{"id": session_id, "epoch": epoch} for session_id, epoch in held.items()]
    renewed = yield _RENEW, {"rows": json.dumps(rows), "lasts_us": _us(duration)}
    return {SessionId(row["id"]): row["seq"] for row in renewed}


def release(session_id: SessionId, epoch: int) -> Script[None]:
    """Give the lease up, if it is still this one."""
    yield _RELEASE, {"session_id": session_id, "of_epoch": epoch}


def count(stats: Mapping[SessionId, RunningStats]) -> Script[None]:
    """Store running stats where the epoch is still this one."""
    rows = [{"id": session_id, **asdict(counted)} for session_id, counted in stats.items()]
    yield _COUNT, {"rows": json.dumps(rows)}


def _take(session_id: SessionId, worker_id: str, duration: timedelta) -> Script[Lease]:
    values = {"session_id": session_id, "worker": worker_id, "lasts_us": _us(duration)}
    (taken,) = yield _TAKE, values
    return Lease(
        session_id=session_id,
        worker_id=worker_id,
        epoch=taken["epoch"],
        expires_at=from_us(taken["lease_expires_at"]),
    )


def _us(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
