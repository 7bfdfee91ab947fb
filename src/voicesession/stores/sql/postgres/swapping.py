"""
Many commits in one statement: those whose session nobody else has at hand, and is as expected.

What is locked is skipped, so the statement waits for nobody and takes part in no deadlock; and
what has moved on is left out. Whichever is left out is then written alone, which tells why.
Journal, words and tasks come along only for the sessions that were swapped, in the same
statement, so each commit is whole or not at all. It names only the tables that something comes for,
and a single commit is given as plain values: to take rows of fifty columns out of a JSON text costs
the server more than to write them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Select,
    Table,
    Text,
    Update,
    and_,
    bindparam,
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
from ...codec import stored_names
from ..commits import (
    as_expected,
    change_row,
    changed_names,
    entry_rows,
    task_rows,
    utterance_rows,
)
from ..database import Script
from ..schema import JOURNAL, SESSIONS, TASKS, UTTERANCES
from ..statement import SqlDialect, Statement, names_of, stored

__all__ = ("swap",)

_Swaps: TypeAlias = Callable[[SqlDialect], Update]
"""Says the update that returns the ids of the sessions it swapped."""

_S: Final = SESSIONS.c
_THERE: Final = SESSIONS.alias("there")
_LEASE: Final = ("worker_id", "lease_expires_at")
_COUNTED: Final = stored_names(COUNTED)
_NAMES: Final = changed_names(by_owner=True)
_GUARDS: Final = (
    Column("session_id", Text),
    Column("of_tenant", Text),
    Column("expected_seq", BigInteger),
    Column("of_epoch", BigInteger),
    Column("by_owner", Boolean),
)


def _swaps_one(*, by_owner: bool, ends: bool) -> _Swaps:
    """Return the swap of a session that is given as plain values."""
    is_free = (
        select(_THERE.c.id)
        .where(_THERE.c.id == bindparam("session_id"))
        .with_for_update(key_share=True, skip_locked=True)
        .scalar_subquery()
    )
    is_swapped = and_(_S.id == is_free, as_expected(by_owner=by_owner))

    def swap_one(sql: SqlDialect) -> Update:
        new = stored(sql, SESSIONS, changed_names(by_owner=by_owner))
        if ends:
            new |= dict.fromkeys(_LEASE, null())
        return update(SESSIONS).where(is_swapped).values(new).returning(_S.id)

    return swap_one


_SWAP_ONE: Final = MappingProxyType(
    {
        (by_owner, ends): _swaps_one(by_owner=by_owner, ends=ends)
        for by_owner in (False, True)
        for ends in (False, True)
    }
)


def _swap_many(sql: SqlDialect) -> Update:
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
    for name in _LEASE:
        new[name] = case((ends, null()), else_=_S[name])
    is_as_expected = and_(
        _S.id == free.c.id,
        _S.id == given.c.session_id,
        _S.tenant_id == given.c.of_tenant,
        _S.seq == given.c.expected_seq,
        or_(given.c.of_epoch.is_(None), _S.epoch == given.c.of_epoch),
    )
    return update(SESSIONS).where(is_as_expected).values(new).returning(_S.id)


def _brought(sql: SqlDialect, swapped: CTE, table: Table, value: str) -> Insert:
    """Insert those rows of *table*, given as *value*, whose session was swapped."""
    names = names_of(table)
    given = sql.rows(value, *table.columns)
    rows = select(*(sql.stored(table.c[name], given.c[name]) for name in names))
    return insert(table).from_select(
        names, rows.join_from(given, swapped, swapped.c.id == given.c.session_id)
    )


def _put_words(sql: SqlDialect, swapped: CTE) -> Insert:
    words = _brought(sql, swapped, UTTERANCES, "words")
    changing = names_of(UTTERANCES)[2:]
    return words.on_conflict_do_update(
        index_elements=["session_id", "id"],
        set_={name: words.excluded[name] for name in changing},
    )


_BRINGS: Final[MappingProxyType[str, Callable[[SqlDialect, CTE], Insert]]] = MappingProxyType(
    {
        "entries": lambda sql, swapped: _brought(sql, swapped, JOURNAL, "entries"),
        "words": _put_words,
        "tasks": lambda sql, swapped: _brought(
            sql, swapped, TASKS, "tasks"
        ).on_conflict_do_nothing(),
    }
)


@lru_cache(maxsize=40)  # all there can be: four swaps of one and one of many, each with 2^3 sets
def _statement(swaps: _Swaps, brought: frozenset[str]) -> Statement:
    def build(sql: SqlDialect) -> Update | Select[Any]:
        if not brought:
            return swaps(sql)
        swapped = swaps(sql).cte("swapped")
        inserts = (_BRINGS[name](sql, swapped).cte(f"put_{name}") for name in sorted(brought))
        return select(swapped.c.id).add_cte(*inserts)

    return Statement(build)


def swap(changes: Sequence[Change]) -> Script[frozenset[str]]:
    """Write those of *changes* that can be written at once; return the ids of their sessions.

    Args:
        changes: Of different sessions, which are there already.
    """
    rows = {
        "entries": [row for change in changes for row in entry_rows(change)],
        "words": [row for change in changes for row in utterance_rows(change)],
        "tasks": [row for change in changes for row in task_rows(change)],
    }
    brought = {name: json.dumps(each) for name, each in rows.items() if each}
    if len(changes) == 1:
        (change,) = changes
        ends = change.session.state is SessionState.ENDED
        swaps, values = _SWAP_ONE[change.epoch is not None, ends], change_row(change)
    else:
        values = {"changes": json.dumps([change_row(change) for change in changes])}
        swaps = _swap_many
    swapped = yield _statement(swaps, frozenset(brought)), values | brought
    return frozenset(row["id"] for row in swapped)
