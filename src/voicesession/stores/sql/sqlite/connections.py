"""
Two connections to one SQLite file: what waits is run together, in a thread, one after the other.

A transaction is a plain function that is given a connection. It begins, works and commits in
one go on the connection's own thread, so no cancellation can fall between two of its statements;
who is cancelled meanwhile waits for it, as long as the deadline allows. That makes it all run on
asyncio and on Trio alike.

While one is at the disk others come and wait. They are then done in a single transaction, each
behind a savepoint of its own: so the disk is waited for once, and whoever fails, fails alone.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from anyio import CancelScope, to_thread

from ....core.errors import StoreError, StoreUnavailable
from .line import Line, Transaction, Turn

__all__ = ("Connections",)

T = TypeVar("T")

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
        self.writer = Line(self._write)
        self.reader = Line(self._read)

    async def open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Open the file, making it if it is missing, and let *prepare* see to what is in it.

        A file that was made for this and has stayed empty is removed again.

        Raises:
            StoreError: It is open already, cannot be opened, is no database, or *prepare*
                refuses it.
        """
        if self.writer.is_open:
            raise StoreError(f"the database {self._path.name} is open already")
        with CancelScope(shield=True):  # whoever is cancelled leaves no connection behind
            writer, reader = await to_thread.run_sync(self._opened, prepare)
            self.writer.open(writer)
            self.reader.open(reader)

    async def write(self, transaction: Transaction[T], *, erases: bool = False) -> T:
        """Run *transaction* on the latest state and commit it, or undo all of it.

        Args:
            erases: What it deletes leaves no trace in the log of old pages either.

        Raises:
            StoreUnavailable: Another process holds the file, or the disk is full; nothing
                was written.
            StoreTimeout: There was no answer in time; whether it was written is unknown.
        """
        return await self.writer.take_turn(Turn(transaction, erases))

    async def read(self, transaction: Transaction[T]) -> T:
        """Run *transaction*, which only reads, on one state of the database.

        Raises:
            StoreUnavailable: The file cannot be read for now.
            StoreTimeout: There was no answer in time.
        """
        return await self.reader.take_turn(Turn(transaction))

    async def aclose(self) -> None:
        """Close both, after what they are doing. Twice is harmless."""
        await self.reader.aclose()
        await self.writer.aclose()

    # --- in the threads --------------------------------------------------------------------

    def _opened(
        self, prepare: Callable[[sqlite3.Connection], None]
    ) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        is_new = not self._path.exists()
        with ExitStack() as undo:
            if is_new:
                undo.callback(self._remove_if_empty)
            try:
                writer = self._connect()
                undo.callback(writer.close)
                prepare(writer)
                for setting in _WRITER_SETTINGS:
                    writer.execute(f"PRAGMA {setting}")
                self._log_ahead(writer)
                reader = self._connect()
                undo.callback(reader.close)
                reader.execute("PRAGMA query_only = ON")
            except sqlite3.Error as error:
                raise self._refusal(error) from error
            undo.pop_all()
        return writer, reader

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path,
            timeout=_WAITS_FOR_LOCK_S,
            isolation_level=None,  # we say ourselves where a transaction begins
            check_same_thread=False,  # it is opened in one thread and then used in another
        )

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

    def _write(self, writer: sqlite3.Connection, turns: Sequence[Turn[Any]]) -> None:
        try:
            writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        try:
            _commit(_attempt_each, turns, writer)
        except sqlite3.Error as error:
            # It has cost the whole transaction. Whose error it is shows when each is alone.
            if len(turns) == 1:
                raise self._refusal(error) from error
            for turn in turns:
                try:
                    self._write(writer, [turn])
                except StoreError as refusal:
                    turn.error = refusal
        else:
            if any(turn.erases for turn in turns):
                self._cut_the_log(writer)

    def _cut_the_log(self, writer: sqlite3.Connection) -> None:
        # It is deleted all the same if another process reads old pages of the log just now;
        # the log is then cut by the next one who can.
        with suppress(sqlite3.OperationalError):
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _read(self, reader: sqlite3.Connection, turns: Sequence[Turn[Any]]) -> None:
        try:
            reader.execute("BEGIN")
            _commit(_attempt_all, turns, reader)
        except sqlite3.Error as error:
            raise self._refusal(error) from error

    def _refusal(self, error: sqlite3.Error) -> StoreError:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        kind = StoreUnavailable if primary in _PASSING else StoreError
        return kind(f"the database {self._path.name} refused: {error}")


def _attempt_each(turns: Sequence[Turn[Any]], writer: sqlite3.Connection) -> None:
    """Do each of *turns* that goes well, and nothing of the others."""
    if len(turns) == 1:
        if not turns[0].attempt(writer):
            writer.execute("ROLLBACK")
        return
    for turn in turns:
        writer.execute("SAVEPOINT turn")
        if not turn.attempt(writer):
            writer.execute("ROLLBACK TO turn")
        writer.execute("RELEASE turn")


def _attempt_all(turns: Sequence[Turn[Any]], reader: sqlite3.Connection) -> None:
    for turn in turns:
        turn.attempt(reader)


def _commit(
    attempt: Callable[[Sequence[Turn[Any]], sqlite3.Connection], None],
    turns: Sequence[Turn[Any]],
    connection: sqlite3.Connection,
) -> None:
    """Do *turns* in the transaction that has begun, and commit it; whatever fails undoes it all."""
    try:
        attempt(turns, connection)
        if connection.in_transaction:
            connection.execute("COMMIT")
    finally:
        # Some errors, a full disk for one, have rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
