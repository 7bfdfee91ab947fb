"""
Sessions in a relational database: SQLite, PostgreSQL.

What is done in a transaction is said once, as scripts without I/O (`database.Script`); each
database has a folder that says how it runs them, and what it says in its own way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .postgres import PostgresStorage
    from .sqlite import SqliteStorage

__all__ = ("PostgresStorage", "SqliteStorage")


def __getattr__(name: str) -> Any:
    # So that nobody needs the driver of a database that they do not use.
    if name == "SqliteStorage":
        from .sqlite import SqliteStorage

        return SqliteStorage
    if name == "PostgresStorage":
        from .postgres import PostgresStorage

        return PostgresStorage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
