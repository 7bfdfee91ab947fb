"""
How a statement is said once and compiled once for each database.

A `Statement` is written with SQLAlchemy Core. Where databases differ, it asks the `SqlDialect`
that it is compiled for; on the hot path the driver is given the finished text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol, TypeAlias

from attrs import Factory, field, frozen
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    literal_column,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from .columns import JSON, TEXTS

__all__ = (
    "Compiled",
    "SqlDialect",
    "Statement",
    "Values",
    "all_of",
    "as_given",
    "compiled",
    "first",
    "names_of",
    "stored",
)

Values: TypeAlias = Mapping[str, Any]


@frozen(eq=False)
class Statement:
    """A statement for any database.

    Attributes:
        build: Returns it for one of them.
    """

    build: Callable[[SqlDialect], ClauseElement]


def _in_places(compiled: Compiled) -> Callable[[Values], tuple[Any, ...]]:
    names = compiled.names
    if len(names) > 1:
        return itemgetter(*names)  # of one name it would return the value, and no tuple
    return lambda values: tuple(values[name] for name in names)


@frozen
class Compiled:
    """The text that a driver runs.

    Attributes:
        names: Of the values that it takes, in the order of their places.
        places: Returns values in that order.
    """

    text: str
    names: tuple[str, ...]
    places: Callable[[Values], tuple[Any, ...]] = field(
        default=Factory(_in_places, takes_self=True), init=False, eq=False, repr=False
    )


class SqlDialect(Protocol):
    """Where databases differ."""

    @property
    def present_us(self) -> ColumnElement[int]:
        """The present instant, as the database has it: whole microseconds since 1970."""
        ...

    def shown(self, column: Column[Any]) -> ColumnElement[Any]:
        """Return what to select so that *column* comes as the codec wrote it."""
        ...

    def stored(self, column: Column[Any], value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return *value*, which the codec wrote, as *column* keeps it."""
        ...

    def rows(self, value: str, *columns: Column[Any]) -> FromClause:
        """Return the rows that come as one value of this name: a JSON text of objects."""
        ...

    def upsert(self, table: Table, key: Sequence[str], changing: Sequence[str]) -> ClauseElement:
        """Return the statement that inserts a row, or changes some of the one with its key.

        Args:
            changing: Which columns of that one; none to leave it as it is.
        """
        ...

    def addition(self, table: Table, key: Sequence[str], adding: Sequence[str]) -> ClauseElement:
        """Return the statement that inserts a row, or adds it to the one with its key.

        Args:
            adding: The columns that are added; a sum that they cannot hold is refused.
        """
        ...

    def telling(self, change: Update) -> ClauseElement:
        """Return *change* as one that gives a row for each row that it changes."""
        ...

    def has_metadata(self, column: Column[Any]) -> ColumnElement[bool]:
        """Return whether every pair of text in the value ``metadata`` stands in *column*."""
        ...

    def compiled(self, statement: Statement) -> Compiled:
        """Return *statement* as this database's driver runs it; from the second time on at once."""
        ...


def compiled(clause: ClauseElement, dialect: Dialect, schema: str | None = None) -> Compiled:
    """Return *clause* as the driver of *dialect* runs it.

    Args:
        schema: Where the tables lie; None where the connection looks for them.
    """
    place: dict[str, Any] = {}
    if schema is not None:
        place = {"schema_translate_map": {None: schema}, "render_schema_translate": True}
    compiler = clause.compile(dialect=dialect, **place)
    assert isinstance(compiler, SQLCompiler)  # noqa: S101  # no DDL comes here
    places = compiler.positiontup or compiler.binds
    return Compiled(compiler.string, tuple(places))


def all_of(sql: SqlDialect, table: Table) -> list[ColumnElement[Any]]:
    """Return what to select for whole rows of *table*."""
    return [sql.shown(column).label(column.name) for column in table.columns]


def first(rows: Select[Any]) -> Select[Any]:
    """Return *rows* cut after the first ``at_most``."""
    # SQLite knows no limit without an offset, and SQLAlchemy would make a value of it.
    return rows.limit(bindparam("at_most", type_=BigInteger)).offset(literal_column("0"))


def stored(sql: SqlDialect, table: Table, names: Iterable[str]) -> dict[str, ColumnElement[Any]]:
    """Return values for the columns *names* of *table*, which are given under the same names."""
    return {name: sql.stored(table.c[name], _given(table.c[name])) for name in names}


def names_of(table: Table) -> list[str]:
    """Return the names of all columns of *table*."""
    return [column.name for column in table.columns]


def as_given(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of a value for a column of *kind*: what is structured comes as JSON."""
    return Text() if kind in (JSON, TEXTS) else kind


def _given(column: Column[Any]) -> BindParameter[Any]:
    return bindparam(column.name, type_=as_given(column.type))
