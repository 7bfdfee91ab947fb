"""
Sessions in a relational database.

What is done in a transaction is said once, as scripts without I/O (`database.Script`); each
database has a folder that says how it runs them, and what it says in its own way.
"""

from __future__ import annotations

from .sqlite import SqliteStorage

__all__ = ("SqliteStorage",)
