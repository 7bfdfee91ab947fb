"""
Where connections to PostgreSQL come from: a pool of our own, the host's pool, or its engine.

Whoever takes a connection gives it back idle and whole, or broken for good: no settings are made
on it, and what fails in the middle of something closes it. So a pool of our own need not ask the
server, each time, to reset it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncEngine

from ....core.errors import StoreError, StoreUnavailable

__all__ = ("Connection", "Connections", "EngineConnections", "HostPool", "OwnPool")

Connection: TypeAlias = "asyncpg.Connection[Any] | PoolConnectionProxy[Any]"

_MOST_STATEMENTS: Final = 512
_LONGEST_STATEMENT: Final = 64 * 1024


class Connections(Protocol):
    """Lends connections of asyncpg that are in no transaction."""

    async def open(self) -> None:
        """Be ready to lend."""
        ...

    def lend(self) -> AbstractAsyncContextManager[Connection]:
        """Return a connection for the length of the context; waits until one is free."""
        ...

    async def aclose(self) -> None:
        """Close what was opened here."""
        ...


class OwnPool:
    """A pool that is opened and closed here."""

    def __init__(self, url: str, *, size: int, waits_s: float) -> None:
        self._url = url
        self._size = size
        self._waits_s = waits_s
        self._pool: asyncpg.Pool[Any] | None = None

    async def open(self) -> None:
        if self._pool is not None:
            raise StoreError("the storage is open already")
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=self._size,
            timeout=self._waits_s,
            reset=_leave_as_it_is,
            statement_cache_size=_MOST_STATEMENTS,
            max_cacheable_statement_size=_LONGEST_STATEMENT,
        )

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[Connection]:
        if self._pool is None:
            raise StoreError("the storage is not open: use it inside `async with`")
        async with _acquired(self._pool, self._waits_s) as connection:
            yield connection

    async def aclose(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()  # whatever was worth waiting for is done


class HostPool:
    """A pool that the host opens and closes."""

    def __init__(self, pool: asyncpg.Pool[Any], *, waits_s: float) -> None:
        self._pool = pool
        self._waits_s = waits_s

    async def open(self) -> None:
        return None

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[Connection]:
        async with _acquired(self._pool, self._waits_s) as connection:
            yield connection

    async def aclose(self) -> None:
        return None


class EngineConnections:
    """Connections of the host's engine, ``postgresql+asyncpg``, which the host disposes of."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def open(self) -> None:
        return None

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[Connection]:
        async with self._engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = cast("asyncpg.Connection[Any]", raw.driver_connection)
            try:
                yield driver
            finally:
                if driver.is_closed():
                    await connection.invalidate()

    async def aclose(self) -> None:
        return None


@asynccontextmanager
async def _acquired(pool: asyncpg.Pool[Any], waits_s: float) -> AsyncGenerator[Connection]:
    try:
        connection = await pool.acquire(timeout=waits_s)
    except TimeoutError as error:
        raise StoreUnavailable(f"no connection was free within {waits_s:g} s") from error
    try:
        yield connection
    finally:
        await pool.release(connection)


async def _leave_as_it_is(_: Connection) -> None:
    return None
