"""
Two connections to one SQLite file: transactions run whole, in a thread, one after the other.

A transaction is a plain function that is given a connection. It begins, works and commits in
one go on a worker thread, so no cancellation can fall between two of its statements; who
is cancelled meanwhile waits for it, as long as the deadline allows. That makes it all run on
asyncio and on Trio alike.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
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
_TRIES: Final = 100

# Durable (a write-ahead log alone is not), and no deleted word stays in the file.
_WRITER_SETTINGS: Final = ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON")

_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
    }
)


class Connections:
    """A writer and a reader of one database file; several processes may have it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.writer = _Line()
        self.reader = _Line()

    async def open(self, prepare: Transaction[None]) -> None:
        """Open the file, making it if it is missing, and run *prepare* on it.

        A file that was made for this and has stayed empty is removed again.

        Raises:
            StoreError: It is open already, cannot be opened, is no database, or *prepare*
                refuses it.
        """
        await self.writer.run(lambda: self._open(prepare))

    async def write(self, transaction: Transaction[T]) -> T:
        """Run *transaction* on the latest state and commit it, or undo all of it.

        Raises:
            StoreUnavailable: Another process holds the file, or the disk is full; nothing
                was written.
            StoreTimeout: There was no answer in time; whether it was written is unknown.
        """
        return await self.writer.run(lambda: self._write(transaction))

    async def erase(self, transaction: Transaction[T]) -> T:
        """Write *transaction*, and leave no trace of what it deletes in the log of old pages.

        Raises:
            StoreUnavailable: As for `write`.
            StoreTimeout: As for `write`.
        """
        return await self.writer.run(lambda: self._erase(transaction))

    async def read(self, transaction: Transaction[T]) -> T:
        """Run *transaction*, which only reads, on one state of the database.

        Raises:
            StoreUnavailable: The file cannot be read for now.
            StoreTimeout: There was no answer in time.
        """
        return await self.reader.run(lambda: self._read(transaction))

    async def aclose(self) -> None:
        """Close both, after what they are doing. Twice is harmless."""
        await self.reader.run(self.reader.close)
        await self.writer.run(self.writer.close)

    # --- in the worker threads -------------------------------------------------------------

    def _open(self, prepare: Transaction[None]) -> None:
        if self.writer.connection is not None:
            raise StoreError(f"the database {self._path.name} is open already")
        is_new = not self._path.exists()
        with _errors_named(self._path), ExitStack() as undo:
            if is_new:
                undo.callback(self._remove_if_empty)
            writer = self._connect()
            undo.callback(writer.close)
            for setting in _WRITER_SETTINGS:
                writer.execute(f"PRAGMA {setting}")
            with _transaction(writer, "BEGIN IMMEDIATE"):
                prepare(writer)
            self._log_ahead(writer)
            reader = self._connect()
            undo.callback(reader.close)
            reader.execute("PRAGMA query_only = ON")
            undo.pop_all()
        self.writer.connection, self.reader.connection = writer, reader

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_WAITS_FOR_LOCK_S,
            isolation_level=None,  # we say ourselves where a transaction begins
            check_same_thread=False,  # a line lets in one thread at a time
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _log_ahead(self, writer: sqlite3.Connection) -> None:
        # While another process opens the same new file, SQLite refuses this at once, however
        # long it waits for locks otherwise.
        for tries_left in reversed(range(_TRIES)):
            try:
                (mode,) = writer.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError:
                if not tries_left:
                    raise
                time.sleep(_WAITS_FOR_LOCK_S / _TRIES)
                continue
            if mode == "wal":
                return
            raise StoreError(
                f"the database {self._path.name} cannot have a write-ahead log: "
                "it must be a file on a local disk"
            )

    def _remove_if_empty(self) -> None:
        # Not if another process has put something into it since.
        if self._path.exists() and self._path.stat().st_size == 0:
            self._path.unlink()

    def _write(self, transaction: Transaction[T]) -> T:
        writer = self.writer.opened()
        with _errors_named(self._path), _transaction(writer, "BEGIN IMMEDIATE"):
            return transaction(writer)

    def _erase(self, transaction: Transaction[T]) -> T:
        result = self._write(transaction)
        # It is deleted all the same if another process reads old pages of the log just now;
        # the log is then cut by the next one who can.
        with suppress(sqlite3.OperationalError):
            self.writer.opened().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return result

    def _read(self, transaction: Transaction[T]) -> T:
        reader = self.reader.opened()
        with _errors_named(self._path), _transaction(reader, "BEGIN"):
            return transaction(reader)


class _Line:
    """One connection, and those who wait in line for it."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self._next_please = CapacityLimiter(1)
        self._alone = threading.Lock()

    async def run(self, call: Callable[[], T]) -> T:
        """Run *call* in a thread, alone and to its end, and return what it returns.

        Raises:
            StoreTimeout: There was no answer in time.
        """
        # Shielded: what the caller no longer waits for is still done whole, and in its turn.
        with anyio.move_on_after(_ANSWERS_WITHIN_S, shield=True):
            return await to_thread.run_sync(
                self._run_alone, call, limiter=self._next_please, abandon_on_cancel=True
            )
        if self.connection is not None:
            self.connection.interrupt()
        raise _no_answer()

    def opened(self) -> sqlite3.Connection:
        """Return the connection.

        Raises:
            StoreError: There is none yet, or no longer.
        """
        if self.connection is None:
            raise StoreError("the storage is not open: use it inside `async with`")
        return self.connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def _run_alone(self, call: Callable[[], T]) -> T:
        # A task that asyncio cancels leaves the line although its call still runs.
        if not self._alone.acquire(timeout=_ANSWERS_WITHIN_S):
            raise _no_answer()
        try:
            return call()
        finally:
            self._alone.release()


def _no_answer() -> StoreTimeout:
    return StoreTimeout(f"no answer from the database within {_ANSWERS_WITHIN_S:g} s")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Generator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some errors, a full disk for one, have rolled it back already.
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
    except (OverflowError, UnicodeEncodeError) as error:
        raise StoreError(f"the database {path.name} cannot hold a value: {error}") from error
