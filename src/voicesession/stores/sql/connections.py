"""
Two connections to one SQLite file: transactions run whole, in a thread, one after the other.

A transaction is a plain function that is given a connection. It begins, works and commits in
one go on a worker thread, so no cancellation can fall between two of its statements; who
is cancelled meanwhile waits for it, as long as the deadline allows. That makes it all run on
asyncio and on Trio alike.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from ...core.errors import StoreError, StoreTimeout, StoreUnavailable

__all__ = ("Connections",)

T = TypeVar("T")
Transaction = Callable[[sqlite3.Connection], T]

_ANSWERS_WITHIN_S: Final = 10.0
_WAITS_FOR_LOCK_S: Final = 5.0

# Durable (facts: WAL alone is not, without FULL), and no deleted word stays in the file.
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
)

_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
    }
)


class Connections:
    """A writer and a reader of one database file; several processes may have it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_writer = CapacityLimiter(1)
        self._one_reader = CapacityLimiter(1)
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    async def open(self, prepare: Transaction[None]) -> None:
        """Open the file, making it if it is missing, and run *prepare* on it.

        What was made is removed again if *prepare* refuses it.

        Raises:
            StoreError: It cannot be opened, or is no database.
        """
        await self._run(self._one_writer, lambda: self._open(prepare))

    async def write(self, transaction: Transaction[T]) -> T:
        """Run *transaction* on the latest state and commit it, or undo all of it.

        Raises:
            StoreUnavailable: Another process holds the file, or the disk is full; nothing
                was written.
            StoreTimeout: There was no answer in time; whether it was written is unknown.
        """
        return await self._run(self._one_writer, lambda: self._write(transaction))

    async def read(self, transaction: Transaction[T]) -> T:
        """Run *transaction*, which only reads, on one state of the database.

        Raises:
            StoreUnavailable: The file cannot be read for now.
            StoreTimeout: There was no answer in time.
        """
        return await self._run(self._one_reader, lambda: self._read(transaction))

    async def aclose(self) -> None:
        """Close both. Twice is harmless."""
        await self._run(self._one_writer, self._close)

    # --- in the worker threads -------------------------------------------------------------

    def _open(self, prepare: Transaction[None]) -> None:
        is_new = not self._path.exists()
        with _errors_named(self._path):
            connection = self._connect()
            try:
                for pragma in _PRAGMAS:
                    connection.execute(pragma)
                with _transaction(connection, "BEGIN IMMEDIATE"):
                    prepare(connection)
                reader = self._connect()
                reader.execute("PRAGMA query_only = ON")
            except BaseException:
                connection.close()
                if is_new:
                    self._remove()
                raise
        self._writer, self._reader = connection, reader

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_WAITS_FOR_LOCK_S,
            isolation_level=None,  # we say ourselves where a transaction begins
            check_same_thread=False,  # a limiter lets in one thread at a time
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _write(self, transaction: Transaction[T]) -> T:
        writer = _opened(self._writer)
        with _errors_named(self._path), _transaction(writer, "BEGIN IMMEDIATE"):
            return transaction(writer)

    def _read(self, transaction: Transaction[T]) -> T:
        reader = _opened(self._reader)
        with _errors_named(self._path), _transaction(reader, "BEGIN"):
            return transaction(reader)

    def _close(self) -> None:
        connections = (self._reader, self._writer)
        self._reader = self._writer = None
        for connection in connections:
            if connection is not None:
                with closing(connection):
                    pass

    @staticmethod
    async def _run(limiter: CapacityLimiter, call: Callable[[], T]) -> T:
        # Shielded: what the caller no longer waits for is still done whole, and in its turn.
        with anyio.move_on_after(_ANSWERS_WITHIN_S, shield=True):
            return await to_thread.run_sync(call, limiter=limiter, abandon_on_cancel=True)
        raise StoreTimeout(f"no answer from the database within {_ANSWERS_WITHIN_S:.0f} s")


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise StoreError("the storage is not open: use it inside `async with`")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Generator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _errors_named(path: Path) -> Generator[None]:
    """Turn what the driver raises into our errors; the driver's own stands in ``__cause__``."""
    try:
        yield
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        kind = StoreUnavailable if primary in _PASSING else StoreError
        raise kind(f"the database {path.name} refused: {error}") from error
