"""
Two connections to one SQLite file: what waits is run together, in a thread, one after the other.

A transaction is a plain function that is given a connection. It begins, works and commits in
one go on a worker thread, so no cancellation can fall between two of its statements; who
is cancelled meanwhile waits for it, as long as the deadline allows. That makes it all run on
asyncio and on Trio alike.

While one is at the disk others come and wait. They are then done in a single transaction, each
behind a savepoint of its own: so the disk is waited for once, and whoever fails, fails alone.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from attrs import define

from ....core.errors import StoreError, StoreTimeout, StoreUnavailable

__all__ = ("Connections",)

T = TypeVar("T")
Transaction = Callable[[sqlite3.Connection], T]

_ANSWERS_WITHIN_S: Final = 10.0
_WAITS_FOR_LOCK_S: Final = 5.0
_TRIES: Final = 100
_MOST_TOGETHER: Final = 100
"""Of those who wait; the others' turn comes next."""
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
        self.writer = _Line(self._write)
        self.reader = _Line(self._read)

    async def open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Open the file, making it if it is missing, and let *prepare* see to what is in it.

        A file that was made for this and has stayed empty is removed again.

        Raises:
            StoreError: It is open already, cannot be opened, is no database, or *prepare*
                refuses it.
        """
        await self.writer.run(lambda: self._open(prepare))

    async def write(self, transaction: Transaction[T], *, erases: bool = False) -> T:
        """Run *transaction* on the latest state and commit it, or undo all of it.

        Args:
            erases: What it deletes leaves no trace in the log of old pages either.

        Raises:
            StoreUnavailable: Another process holds the file, or the disk is full; nothing
                was written.
            StoreTimeout: There was no answer in time; whether it was written is unknown.
        """
        return await self.writer.take_turn(_Turn(transaction, erases))

    async def read(self, transaction: Transaction[T]) -> T:
        """Run *transaction*, which only reads, on one state of the database.

        Raises:
            StoreUnavailable: The file cannot be read for now.
            StoreTimeout: There was no answer in time.
        """
        return await self.reader.take_turn(_Turn(transaction))

    async def aclose(self) -> None:
        """Close both, after what they are doing. Twice is harmless."""
        await self.reader.run(self.reader.close)
        await self.writer.run(self.writer.close)

    # --- in the worker threads -------------------------------------------------------------

    def _open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        if self.writer.connection is not None:
            raise StoreError(f"the database {self._path.name} is open already")
        is_new = not self._path.exists()
        with _errors_named(self._path), ExitStack() as undo:
            if is_new:
                undo.callback(self._remove_if_empty)
            writer = self._connect()
            undo.callback(writer.close)
            prepare(writer)
            for setting in _WRITER_SETTINGS:
                writer.execute(f"PRAGMA {setting}")
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

    def _write(self, turns: Sequence[_Turn[Any]]) -> None:
        writer = self.writer.opened()
        with _errors_named(self._path):
            writer.execute("BEGIN IMMEDIATE")
        try:
            with _errors_named(self._path), _begun(writer):
                for turn in turns:
                    _behind_a_savepoint(turn, writer)
        except StoreError:
            # It has cost the whole transaction. Whose error it is shows when each is alone.
            if len(turns) == 1:
                raise
            for turn in turns:
                _told_apart([turn], self._write)
        else:
            if any(turn.erases for turn in turns):
                self._cut_the_log(writer)

    def _cut_the_log(self, writer: sqlite3.Connection) -> None:
        # It is deleted all the same if another process reads old pages of the log just now;
        # the log is then cut by the next one who can.
        with suppress(sqlite3.OperationalError):
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _read(self, turns: Sequence[_Turn[Any]]) -> None:
        reader = self.reader.opened()
        with _errors_named(self._path):
            reader.execute("BEGIN")
            with _begun(reader):
                for turn in turns:
                    turn.attempt(reader)


@define(eq=False)
class _Turn(Generic[T]):
    """A transaction that somebody waits for."""

    transaction: Transaction[T]
    erases: bool = False
    is_over: bool = False
    result: Any = None
    error: Exception | None = None

    def attempt(self, connection: sqlite3.Connection) -> bool:
        """Run the transaction and keep what comes of it; return whether it went well.

        Raises:
            sqlite3.Error: It may have cost more than this transaction.
        """
        try:
            self.result, self.error = self.transaction(connection), None
        except sqlite3.Error:
            raise
        except (OverflowError, UnicodeEncodeError) as error:
            self.error = StoreError(f"the database cannot hold a value: {error}")
            self.error.__cause__ = error
        except Exception as error:  # noqa: BLE001  # its caller's, whatever it is
            self.error = error
        return self.error is None

    def outcome(self) -> T:
        """Return what the transaction returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        result: T = self.result
        return result


class _Line:
    """One connection, and those who wait in line for it."""

    def __init__(self, do_together: Callable[[Sequence[_Turn[Any]]], None]) -> None:
        self.connection: sqlite3.Connection | None = None
        self._do_together = do_together
        self._waiting: list[_Turn[Any]] = []
        self._next_please = anyio.Lock()
        self._one_thread = CapacityLimiter(1)
        self._alone = threading.Lock()

    async def take_turn(self, turn: _Turn[T]) -> T:
        """Do *turn*, together with others that wait, and return what comes of it.

        Raises:
            StoreTimeout: There was no answer in time.
        """
        self._waiting.append(turn)
        try:
            await self.run(self._do_waiting, unless=lambda: turn.is_over)
        finally:
            if turn in self._waiting:  # nobody is left to be told what comes of it
                self._waiting.remove(turn)
        return turn.outcome()

    async def run(
        self, call: Callable[[], None], *, unless: Callable[[], bool] = lambda: False
    ) -> None:
        """Run *call* in a thread, alone and to its end.

        Args:
            unless: Says, when its turn has come, whether it is no longer needed.

        Raises:
            StoreTimeout: There was no answer in time.
        """
        # Shielded: what the caller no longer waits for is still done whole, and in its turn.
        with anyio.move_on_after(_ANSWERS_WITHIN_S, shield=True):
            async with self._next_please:
                if not unless():
                    await to_thread.run_sync(
                        self._run_alone, call, limiter=self._one_thread, abandon_on_cancel=True
                    )
                return
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

    def _do_waiting(self) -> None:
        turns = self._waiting[:_MOST_TOGETHER]
        del self._waiting[:_MOST_TOGETHER]
        if turns:
            _told_apart(turns, self._do_together)
        for turn in turns:  # only now: before, it was not committed
            turn.is_over = True

    def _run_alone(self, call: Callable[[], None]) -> None:
        # A task that asyncio cancels leaves the line although its call still runs.
        if not self._alone.acquire(timeout=_ANSWERS_WITHIN_S):
            raise _no_answer()
        try:
            call()
        finally:
            self._alone.release()


def _no_answer() -> StoreTimeout:
    return StoreTimeout(f"no answer from the database within {_ANSWERS_WITHIN_S:g} s")


def _told_apart(
    turns: Sequence[_Turn[Any]], do_together: Callable[[Sequence[_Turn[Any]]], None]
) -> None:
    """Do *turns*; an error that is none of theirs alone is the error of each."""
    try:
        do_together(turns)
    except StoreError as error:
        for turn in turns:
            turn.error = error


def _behind_a_savepoint(turn: _Turn[Any], writer: sqlite3.Connection) -> None:
    writer.execute("SAVEPOINT turn")
    if not turn.attempt(writer):
        writer.execute("ROLLBACK TO turn")
    writer.execute("RELEASE turn")


@contextmanager
def _begun(connection: sqlite3.Connection) -> Generator[None]:
    """Commit the transaction that has begun, or undo it."""
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
