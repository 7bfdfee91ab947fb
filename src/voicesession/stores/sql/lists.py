"""Pages of sessions, and how many are open: one statement for each set of filters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    func,
    select,
    text,
    tuple_,
)

from ...core.instants import to_us
from ...ports.storage import Scope, SessionQuery
from ..pages import Position, is_ascending
from .schema import IS_OPEN, SESSIONS
from .statement import SqlDialect, Statement, all_of

__all__ = ("COUNT_ALL_OPEN", "COUNT_OPEN", "page")

_S: Final = SESSIONS.c

_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = MappingProxyType(
    {
        "tenant_id": _S.tenant_id == bindparam("tenant_id"),
        "state": _S.state == bindparam("state"),
        "status": _S.status == bindparam("status"),
        "user_id": _S.user_id == bindparam("user_id"),
        "mode": _S.mode == bindparam("mode"),
        "since": _S.listed_at >= bindparam("since"),
        "until": _S.listed_at < bindparam("until"),
    }
)
_METADATA: Final = "metadata"  # the one that every database says in its own way
_AT: Final[BindParameter[Any]] = bindparam("beside_at", type_=BigInteger())
_ID: Final[BindParameter[Any]] = bindparam("beside_id", type_=_S.id.type)
_PLACE: Final = tuple_(_S.listed_at, _S.id)
_BESIDE: Final = tuple_(_AT, _ID)


def _counted(*conditions: ColumnElement[bool]) -> Statement:
    def build(_: SqlDialect) -> Select[int, int]:
        of_user = func.count().filter(_S.user_id.is_not_distinct_from(bindparam("of_user")))
        counts = (of_user.label("of_user"), func.count().label("of_all"))
        return select(*counts).where(text(IS_OPEN), *conditions)

    return Statement(build)


COUNT_OPEN: Final = _counted(_S.tenant_id == bindparam("of_tenant"))
COUNT_ALL_OPEN: Final = _counted()


def page(
    query: SessionQuery, position: Position | None, scope: Scope
) -> tuple[Statement, dict[str, Any]]:
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
        _METADATA: json.dumps(dict(query.metadata)) if query.metadata else None,
    }
    values = {name: value for name, value in wanted.items() if value is not None}
    place = {} if position is None else _narrowest(values, position)
    statement = _statement(
        frozenset(values), ascending=is_ascending(query, position), beside=bool(place)
    )
    return statement, values | place | {"at_most": query.limit + 1, "skipped": query.offset}


def _narrowest(values: dict[str, Any], position: Position) -> dict[str, Any]:
    """Return the values of a place; it, or the bound in *values* that it makes idle, is left out.

    Two bounds on the same side would keep SQLite from going to the place at once.
    """
    at = position.listed_us
    bound = "since" if position.ascending else "until"
    if bound in values:
        lies_behind = values[bound] > at if position.ascending else values[bound] <= at
        if lies_behind:
            return {}
        del values[bound]
    return {"beside_at": at, "beside_id": position.session_id}


@lru_cache(maxsize=1024)  # all there can be: 2^8 sets of filters, both ways, with a place or not
def _statement(filters: frozenset[str], *, ascending: bool, beside: bool) -> Statement:
    plain = [_FILTERS[name] for name in sorted(filters) if name != _METADATA]
    place = [_PLACE > _BESIDE if ascending else _PLACE < _BESIDE] if beside else []
    order = (_S.listed_at, _S.id) if ascending else (_S.listed_at.desc(), _S.id.desc())

    def build(sql: SqlDialect) -> Select[Any]:
        metadata = [sql.has_metadata(_S.metadata)] if _METADATA in filters else []
        return (
            select(*all_of(sql, SESSIONS))
            .where(*plain, *metadata, *place)
            .order_by(*order)
            .limit(bindparam("at_most", type_=BigInteger))
            .offset(bindparam("skipped", type_=BigInteger))
        )

    return Statement(build)
