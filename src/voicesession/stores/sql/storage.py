"""The stores of one relational database, whichever it is."""

from __future__ import annotations

from .database import Database
from .ledger import SqlLedger
from .sessions import SqlSessions
from .tasks import SqlTasks
from .templates import SqlTemplates

__all__ = ("SqlStores",)


class SqlStores:
    """Every store of a `Storage`, on a database that somebody else opens and closes."""

    def __init__(self, database: Database) -> None:
        self.sessions = SqlSessions(database)
        self.transcripts = self.sessions
        self.templates = SqlTemplates(database)
        self.tasks = SqlTasks(database)
        self.ledger = SqlLedger(database)
