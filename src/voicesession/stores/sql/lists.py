"""The statement behind a page of sessions: one text for each set of filters, compiled once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from ...core.instants import to_us
from ...ports.storage import Scope, SessionQuery
from ..pages import Position, is_ascending
from .schema import SESSIONS
from .statements import DIALECT

__all__ = ("page",)

_S: Final = SESSIONS.c


def _has_metadata() -> ColumnElement[bool]:
    """No wanted pair is missing: whatever stands in a key, it is no path and no pattern."""
    wanted = func.json_each(bindparam("metadata")).table_valued("key", "value", name="wanted")
    held = func.json_each(_S.metadata).table_valued("key", "type", "value", name="held")
    is_held = (
        exists()
        .select_from(held)
        .where(
            held.c.key == wanted.c.key,
            held.c.type == literal_column("'text'"),
            held.c.value == wanted.c.value,
        )
        .correlate(SESSIONS, wanted)
    )
    return ~exists().select_from(wanted).where(~is_held).correlate(SESSIONS)


_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = MappingProxyType(
    {
        "tenant_id": _S.tenant_id == bindparam("tenant_id"),
        "state": _S.state == bindparam("state"),
        "status": _S.status == bindparam("status"),
        "user_id": _S.user_id == bindparam("user_id"),
        "mode": _S.mode == bindparam("mode"),
        "since": _S.listed_at >= bindparam("since"),
        "until": _S.listed_at < bindparam("until"),
        "metadata": _has_metadata(),
    }
)
_AT: Final[BindParameter[Any]] = bindparam("beside_at")
_ID: Final[BindParameter[Any]] = bindparam("beside_id")
# Written out, because a comparison of rows keeps SQLite from using the index for both.
_AFTER: Final = and_(_S.listed_at >= _AT, or_(_S.listed_at > _AT, _S.id > _ID))
_BEFORE: Final = and_(_S.listed_at <= _AT, or_(_S.listed_at < _AT, _S.id < _ID))


def page(
    query: SessionQuery, position: Position | None, scope: Scope
) -> tuple[str, dict[str, Any]]:
    """Return the statement for a page of *query* and its values.

    It reads one row more than the page holds, so that one sees whether there is more.
    """
    wanted: dict[str, Any] = {
        "tenant_id": scope.tenant_id,
        "state": query.state,
        "status": query.status,
        "user_id": query.user_id,
        "mode": query.mode,
        "since": None if query.since is None else to_us(query.since),
        "until": None if query.until is None else to_us(query.until),
        "metadata": json.dumps(dict(query.metadata)) if query.metadata else None,
    }
    values = {name: value for name, value in wanted.items() if value is not None}
    statement = _statement(
        frozenset(values), ascending=is_ascending(query, position), beside=position is not None
    )
    if position is not None:
        values |= {"beside_at": position.listed_us, "beside_id": position.session_id}
    return statement, values | {"at_most": query.limit + 1, "skipped": query.offset}


@lru_cache(maxsize=1024)  # all there can be: 2^8 sets of filters, both ways, with a place or not
def _statement(filters: frozenset[str], *, ascending: bool, beside: bool) -> str:
    statement = select(SESSIONS).where(*(_FILTERS[name] for name in sorted(filters)))
    if beside:
        statement = statement.where(_AFTER if ascending else _BEFORE)
    order = (_S.listed_at, _S.id) if ascending else (_S.listed_at.desc(), _S.id.desc())
    statement = statement.order_by(*order).limit(bindparam("at_most")).offset(bindparam("skipped"))
    return str(statement.compile(dialect=DIALECT))
