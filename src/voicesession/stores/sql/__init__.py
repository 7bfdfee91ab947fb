"""Sessions in a relational database: the schema, and a storage on SQLite."""

from .sqlite import SqliteStorage

__all__ = ("SqliteStorage",)
