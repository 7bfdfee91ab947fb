"""
Sessions in PostgreSQL, through asyncpg: for many workers on many machines.

Runs on asyncio only.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from ...._loop import require_asyncio
from ....core.errors import InvalidConfig, StoreError
from ..revisions import FIRST_COUNTED_IN, OURS, REVISION_TABLE, Step, step_needed
from ..storage import SqlStores
from .connections import Connection, Connections, EngineConnections, HostPool, OwnPool
from .database import PostgresDatabase
from .errors import errors_named

__all__ = ("PostgresStorage",)

Source: TypeAlias = "str | asyncpg.Pool[Any] | AsyncEngine"

_WAITS_FOR_CONNECTION_S: Final = 5.0


class PostgresStorage(SqlStores):
    """Keeps everything in a PostgreSQL database whose tables are there: see `migration.upgrade`.

    It only makes them and brings them up to date where that is asked for.

    Raises, when it is opened:
        StoreUnavailable: The server cannot be reached for now.
        StoreError: The tables are not there, or not of this library's revision.
        WrongEventLoop: This is not asyncio.
    """

    def __init__(
        self,
        source: Source,
        *,
        schema: str | None = None,
        pool_size: int = 10,
        upgrades: bool = False,
    ) -> None:
        """
        Args:
            source: ``postgresql://…``; or the host's own pool or engine
                (``postgresql+asyncpg``), which the host opens and closes.
            schema: Where the tables lie; None is where the connection looks.
            pool_size: How many connections it opens at most, for a URL.
            upgrades: Bring the tables up to date when it is opened, as `migration.upgrade`
                does: of many workers one, while the others wait. For a URL.

        Raises:
            InvalidConfig: *upgrades* is wanted of a pool or an engine.
        """
        self._upgrades = _address(source) if upgrades else None
        self._schema = schema
        self._connections = _connections(source, pool_size)
        self._database = PostgresDatabase(self._connections, schema)
        super().__init__(self._database)

    async def __aenter__(self) -> Self:
        require_asyncio("PostgresStorage")
        if self._upgrades is not None:
            await _upgrade(self._upgrades, self._schema)
        with errors_named():
            await self._connections.open()
            try:
                async with self._connections.lend() as connection:
                    await _check_tables(connection, self._schema)
            except BaseException:
                await self._connections.aclose()
                raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self._database.aclose()
        await self._connections.aclose()


def _connections(source: Source, pool_size: int) -> Connections:
    if isinstance(source, AsyncEngine):
        return EngineConnections(source)
    if isinstance(source, str):
        return OwnPool(source, size=pool_size, waits_s=_WAITS_FOR_CONNECTION_S)
    return HostPool(source, waits_s=_WAITS_FOR_CONNECTION_S)


def _address(source: Source) -> str:
    if not isinstance(source, str):
        raise InvalidConfig("upgrades", True, "a URL: on a connection of yours, upgrade_on does it")
    return source


async def _upgrade(url: str, schema: str | None) -> None:
    from ..migration import upgrade  # few want it here, and Alembic takes its time

    await asyncio.to_thread(upgrade, url, schema=schema)


async def _check_tables(connection: Connection, schema: str | None) -> None:
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables"
        " WHERE schemaname = coalesce($1, current_schema()) AND tablename = ANY($2)",
        schema,
        list(OURS),
    )
    tables = {row["tablename"] for row in rows}
    prefix = "" if schema is None else f'"{schema}".'
    counted: list[str | int] = []
    for table, column in ((REVISION_TABLE, "version_num"), (FIRST_COUNTED_IN, "version")):
        if table in tables:
            found = await connection.fetch(f"SELECT {column} FROM {prefix}{table}")  # noqa: S608  # our names
            counted = [row[column] for row in found]
            break
    if step_needed(tables, counted) is not Step.NOTHING:
        raise StoreError("the tables are missing or old: run `voicesession db upgrade`")
