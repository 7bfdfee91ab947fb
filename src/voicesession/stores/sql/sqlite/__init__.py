"""
Sessions in one SQLite file: durable (WAL, synchronous=FULL), for one machine.

Several processes may share the file. Runs on asyncio and on Trio.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from ....core.text import storable_text
from ..storage import SqlStores
from .connections import Connections
from .database import SqliteDatabase
from .files import prepare

__all__ = ("SqliteStorage",)


class SqliteStorage(SqlStores):
    """Keeps everything in the file at *path*; opens it at ``async with``, and makes the tables.

    The tables of an older library are brought up to date.

    Raises, when it is opened:
        StoreError: The file cannot be opened, is no database, or a newer library wrote it.
            Nothing is left behind of a file that was made for it.
    """

    def __init__(self, path: Path) -> None:
        storable_text(str(path), "path")
        self._connections = Connections(path)
        super().__init__(SqliteDatabase(self._connections))

    async def __aenter__(self) -> Self:
        await self._connections.open(prepare)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self._connections.aclose()
