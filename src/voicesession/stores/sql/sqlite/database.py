"""Scripts on one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from ....core.instants import to_us
from ....ports.storage import Change
from ...codec import Document, Stored
from ...present import present
from ..commits import commit
from ..database import Asked, MakesScript, Script
from .connections import Connections
from .dialect import SqliteDialect

__all__ = ("SqliteDatabase",)

T = TypeVar("T")

_SQL: Final = SqliteDialect()
_CHANGED: Final[Stored] = MappingProxyType(Document())
"""What is told of each row that a statement changes without returning anything of it."""


class SqliteDatabase:
    """See `Database`. Whoever waits to write is gathered into one transaction."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def read(self, makes_script: MakesScript[T], /) -> T:
        return await self._connections.read(lambda db: self._run(db, makes_script()))

    async def ask(self, makes_script: MakesScript[T], /) -> T:
        return await self.read(makes_script)

    async def write(self, makes_script: MakesScript[T], /) -> T:
        return await self._connections.write(lambda db: self._run(db, makes_script()))

    async def erase(self, makes_script: MakesScript[T], /) -> T:
        return await self._connections.write(lambda db: self._run(db, makes_script()), erases=True)

    async def commit(self, change: Change, /) -> None:
        await self._connections.write(lambda db: self._run(db, commit(change)))

    def _run(self, connection: sqlite3.Connection, script: Script[T]) -> T:
        try:
            asked = next(script)
            while True:
                asked = script.send(self._answer(connection, asked))
        except StopIteration as returned:
            result: T = returned.value
            return result

    def _answer(self, connection: sqlite3.Connection, asked: Asked) -> Sequence[Stored]:
        statement, values = asked
        compiled = _SQL.compiled(statement)
        if isinstance(values, list):
            connection.executemany(compiled.text, [compiled.places(each) for each in values])
            return ()
        if "now_us" in compiled.names:
            values = {**values, "now_us": to_us(present())}
        cursor = connection.execute(compiled.text, compiled.places(values))
        if cursor.description is None:
            return [_CHANGED] * cursor.rowcount
        # All at once: a cursor that an error leaves half read would hold on to its old snapshot.
        found = cursor.fetchall()
        if not found:
            return ()
        # A row of the driver's own kind looks through all its names for each that is asked for.
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in found]
