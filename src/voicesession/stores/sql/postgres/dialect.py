"""What PostgreSQL says in its own way: JSONB, arrays, and its own clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Table,
    Text,
    Update,
    bindparam,
    case,
    cast,
    column as anonymous_column,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON as PLAIN_JSON, JSONB, insert
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from ....core.metadata import metadata_json
from ...codec import Stored
from ..columns import JSON, TEXTS
from ..statement import Compiled, Statement, as_given, compiled, names_of, stored

__all__ = ("PostgresDialect", "as_the_codec_wrote")

_CANONICAL: Final = ("metadata", "payload", "agent_metadata")
"""Columns whose text is the value: JSONB keeps what stands in them, but not their order."""


class PostgresDialect:
    """See `SqlDialect`.

    What is structured goes in and out as text that the server casts, so that it does not matter
    which codecs the host has given its own connections.
    """

    present_us: ColumnElement[int] = literal_column(
        "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)", BigInteger()
    )

    def __init__(self, schema: str | None = None) -> None:
        self._core: Dialect = dialect()  # type: ignore[no-untyped-call]
        self._schema = schema
        self._compiled: dict[Statement, Compiled] = {}

    def shown(self, column: Column[Any]) -> ColumnElement[Any]:
        if column.type is TEXTS:
            return cast(func.array_to_json(column), Text)
        return cast(column, Text) if column.type is JSON else column

    def stored(self, column: Column[Any], value: ColumnElement[Any]) -> ColumnElement[Any]:
        if column.type is TEXTS:
            return _texts_of(value)
        return cast(value, JSONB) if column.type is JSON else value

    def rows(self, value: str, *columns: Column[Any]) -> FromClause:
        objects = cast(bindparam(value, type_=Text()), PLAIN_JSON)
        fields = (anonymous_column(c.name, as_given(c.type)) for c in columns)
        return (
            func.json_to_recordset(objects)
            .table_valued(*fields, name=f"given_{value}")
            .render_derived(with_types=True)
        )

    def upsert(self, table: Table, key: Sequence[str], changing: Sequence[str]) -> ClauseElement:
        new = insert(table).values(stored(self, table, names_of(table)))
        if not changing:
            return new.on_conflict_do_nothing(index_elements=key)
        return new.on_conflict_do_update(
            index_elements=key, set_={name: new.excluded[name] for name in changing}
        )

    def addition(self, table: Table, key: Sequence[str], adding: Sequence[str]) -> ClauseElement:
        new = insert(table).values(stored(self, table, names_of(table)))
        sums = {name: table.c[name] + new.excluded[name] for name in adding}
        return new.on_conflict_do_update(index_elements=key, set_=sums)

    def telling(self, change: Update) -> ClauseElement:
        return change.returning(literal_column("1", BigInteger()))

    def has_metadata(self, column: Column[Any]) -> ColumnElement[bool]:
        return column.op("@>")(cast(bindparam("metadata", type_=Text()), JSONB)).is_(True)

    def compiled(self, statement: Statement) -> Compiled:
        text = self._compiled.get(statement)
        if text is None:
            clause = statement.build(self)
            text = self._compiled[statement] = compiled(clause, self._core, self._schema)
        return text


def as_the_codec_wrote(records: Sequence[Mapping[str, Any]]) -> Sequence[Stored]:
    """Return *records* with the host's own JSON in canonical form again."""
    names = [name for name in _CANONICAL if records and name in records[0].keys()]  # noqa: SIM118  # no dict
    if not names:
        return records
    return [{**record, **{name: _canonical(record[name]) for name in names}} for record in records]


def _canonical(text: str | None) -> str | None:
    # Most hosts have nothing to say, and an outer join finds nothing at all.
    return text if text is None or text == "{}" else metadata_json(json.loads(text))


def _texts_of(value: ColumnElement[Any]) -> ColumnElement[Any]:
    # Nothing stays nothing; an array of no rows would be an empty list.
    texts = select(func.jsonb_array_elements_text(cast(value, JSONB))).scalar_subquery()
    return case((value.is_(None), null()), else_=func.array(texts, type_=ARRAY(Text())))
