"""What SQLite says in its own way: lists and objects are JSON texts, taken apart by functions."""

from __future__ import annotations

from collections.abc import Sequence
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
    exists,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlalchemy.sql import ClauseElement

from ..statement import Compiled, Statement, compiled, names_of, stored

__all__ = ("SqliteDialect",)

_LARGEST: Final = 2**63 - 1


class SqliteDialect:
    """See `SqlDialect`. SQLite has no time of its own: whoever runs a statement gives it."""

    present_us: ColumnElement[int] = bindparam("now_us", type_=BigInteger())

    def __init__(self) -> None:
        self._core = dialect()
        self._compiled: dict[Statement, Compiled] = {}

    def shown(self, column: Column[Any]) -> ColumnElement[Any]:
        return column

    def stored(self, column: Column[Any], value: ColumnElement[Any]) -> ColumnElement[Any]:
        del column
        return value

    def rows(self, value: str, *columns: Column[Any]) -> FromClause:
        each = func.json_each(bindparam(value, type_=Text())).table_valued("value", name="each")
        fields = (
            func.json_extract(
                each.c.value, literal_column(f"'$.{column.name}'"), type_=column.type
            ).label(column.name)
            for column in columns
        )
        return select(*fields).subquery(f"given_{value}")

    def upsert(self, table: Table, key: Sequence[str], changing: Sequence[str]) -> ClauseElement:
        new = insert(table).values(stored(self, table, names_of(table)))
        if not changing:
            return new.on_conflict_do_nothing(index_elements=key)
        return new.on_conflict_do_update(
            index_elements=key, set_={name: new.excluded[name] for name in changing}
        )

    def addition(self, table: Table, key: Sequence[str], adding: Sequence[str]) -> ClauseElement:
        new = insert(table).values(stored(self, table, names_of(table)))
        # Where an integer would be too large SQLite goes on with a float; these take no null.
        sums = {
            name: case(
                (
                    new.excluded[name] <= literal_column(str(_LARGEST)) - table.c[name],
                    table.c[name] + new.excluded[name],
                ),
                else_=null(),
            )
            for name in adding
        }
        return new.on_conflict_do_update(index_elements=key, set_=sums)

    def telling(self, change: Update) -> ClauseElement:
        return change  # the driver counts, and the counted are cheaper than the returned

    def has_metadata(self, column: Column[Any]) -> ColumnElement[bool]:
        """No wanted pair is missing: whatever stands in a key, it is no path and no pattern."""
        wanted = func.json_each(bindparam("metadata")).table_valued("key", "value", name="wanted")
        held = func.json_each(column).table_valued("key", "type", "value", name="held")
        is_held = (
            exists()
            .select_from(held)
            .where(
                held.c.key == wanted.c.key,
                held.c.type == literal_column("'text'"),
                held.c.value == wanted.c.value,
            )
            .correlate(column.table, wanted)
        )
        return ~exists().select_from(wanted).where(~is_held).correlate(column.table)

    def compiled(self, statement: Statement) -> Compiled:
        text = self._compiled.get(statement)
        if text is None:
            text = self._compiled[statement] = compiled(statement.build(self), self._core)
        return text
