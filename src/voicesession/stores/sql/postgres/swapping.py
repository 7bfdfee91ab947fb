"""
Many commits in one statement: those whose session nobody else has at hand, and is as expected.

What is locked is skipped, so the statement waits for nobody and takes part in no deadlock; and
what has moved on is left out. Whichever is left out is then written alone, which tells why.
Journal, words and tasks come along only for the sessions that were swapped, in the same
statement, so each commit is whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    case,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from ....core.states import SessionState
from ....ports.storage import Change
from ...changes import COUNTED
from ...codec import Document, session_document, stored_names
from ..commits import changed_names, entry_rows, task_rows, utterance_rows
from ..database import Script
from ..schema import JOURNAL, SESSIONS, TASKS, UTTERANCES
from ..statement import SqlDialect, Statement, names_of

__all__ = ("swap",)

_S: Final = SESSIONS.c
_COUNTED: Final = stored_names(COUNTED)
_NAMES: Final = changed_names(by_owner=True)
_GUARDS: Final = (
    Column("session_id", Text),
    Column("of_tenant", Text),
    Column("expected_seq", BigInteger),
    Column("of_epoch", BigInteger),
    Column("by_owner", Boolean),
)


def _swapped(sql: SqlDialect) -> CTE:
    given = sql.rows("changes", *_GUARDS, *(_S[name] for name in _NAMES))
    free = (
        select(_S.id)
        .join_from(SESSIONS, given, _S.id == given.c.session_id)
        .with_for_update(key_share=True, of=SESSIONS, skip_locked=True)
        .cte("free")
    )
    new: dict[str, ColumnElement[Any]] = {}
    for name in _NAMES:
        value = sql.stored(_S[name], given.c[name])
        new[name] = case((given.c.by_owner, value), else_=_S[name]) if name in _COUNTED else value
    ends = given.c.state == literal_column(f"'{SessionState.ENDED}'")
    for name in ("worker_id", "lease_expires_at"):
        new[name] = case((ends, null()), else_=_S[name])
    is_as_expected = and_(
        _S.id == free.c.id,
        _S.id == given.c.session_id,
        _S.tenant_id == given.c.of_tenant,
        _S.seq == given.c.expected_seq,
        or_(given.c.of_epoch.is_(None), _S.epoch == given.c.of_epoch),
    )
    return update(SESSIONS).where(is_as_expected).values(new).returning(_S.id).cte("swapped")


def _brought(sql: SqlDialect, swapped: CTE, table: Table, value: str) -> Insert:
    """Insert those rows of *table*, given as *value*, whose session was swapped."""
    names = names_of(table)
    given = sql.rows(value, *table.columns)
    rows = select(*(sql.stored(table.c[name], given.c[name]) for name in names))
    return insert(table).from_select(
        names, rows.join_from(given, swapped, swapped.c.id == given.c.session_id)
    )


def _swap(sql: SqlDialect) -> Select[Any]:
    swapped = _swapped(sql)
    words = _brought(sql, swapped, UTTERANCES, "words")
    changing = names_of(UTTERANCES)[2:]
    statements = {
        "entries": _brought(sql, swapped, JOURNAL, "entries"),
        "said": words.on_conflict_do_update(
            index_elements=["session_id", "id"],
            set_={name: words.excluded[name] for name in changing},
        ),
        "due": _brought(sql, swapped, TASKS, "tasks").on_conflict_do_nothing(),
    }
    return select(swapped.c.id).add_cte(*(each.cte(name) for name, each in statements.items()))


_SWAP: Final = Statement(_swap)


def swap(changes: Sequence[Change]) -> Script[frozenset[str]]:
    """Write those of *changes* that can be written at once; return the ids of their sessions.

    Args:
        changes: Of different sessions, which are there already.
    """
    values = {
        "changes": json.dumps([_change_row(change) for change in changes]),
        "entries": json.dumps([row for change in changes for row in entry_rows(change)]),
        "words": json.dumps([row for change in changes for row in utterance_rows(change)]),
        "tasks": json.dumps([row for change in changes for row in task_rows(change)]),
    }
    swapped = yield _SWAP, values
    return frozenset(row["id"] for row in swapped)


def _change_row(change: Change) -> Document:
    session = change.session
    return {
        **session_document(session),
        "session_id": session.id,
        "of_tenant": session.tenant_id,
        "expected_seq": change.expected_seq,
        "of_epoch": change.epoch,
        "by_owner": change.epoch is not None,
    }
