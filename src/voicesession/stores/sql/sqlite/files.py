"""What a file must have in it before it is used: tables of this library's revision."""

from __future__ import annotations

import sqlite3

from sqlalchemy import StaticPool, create_engine

from ..revisions import (
    FIRST_COUNTED_IN,
    OURS,
    REVISION_TABLE,
    Step,
    making_of_sqlite_tables,
    step_needed,
)

__all__ = ("prepare",)


def prepare(connection: sqlite3.Connection) -> None:
    """Make sure that the file has our tables, and that they are up to date.

    Args:
        connection: In no transaction, and not checking references.

    Raises:
        StoreError: They are not, and cannot be made so; nothing was changed.
    """
    if _step(connection) is Step.NOTHING:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Somebody else may have been first.
        match _step(connection):
            case Step.NOTHING:
                pass
            case Step.MAKE:
                for statement in making_of_sqlite_tables():
                    connection.execute(statement)
            case Step.UPGRADE:
                _upgrade(connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _step(connection: sqlite3.Connection) -> Step:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    tables = {name for (name,) in rows} & OURS
    counted: list[str | int] = []
    for table, column in ((REVISION_TABLE, "version_num"), (FIRST_COUNTED_IN, "version")):
        if table in tables:
            found = connection.execute(f"SELECT {column} FROM {table}")  # noqa: S608  # constants
            counted = [number for (number,) in found]
            break
    return step_needed(tables, counted)


def _upgrade(connection: sqlite3.Connection) -> None:
    from ..migration import migrate  # few files are old, and Alembic takes its time

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as within:
        migrate(within)
        within.commit()
