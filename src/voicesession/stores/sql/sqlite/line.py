"""
One connection, the thread that works on it, and those who wait in line for it.

Whoever comes leaves a transaction and waits. The thread takes all that have come meanwhile, does
them together, and wakes them together: with many at once, what is shared is not only the disk
but also the way to the thread and back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import attrgetter
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Generic, TypeAlias, TypeVar

from attrs import define, field, frozen

from ....core.errors import StoreError, StoreTimeout
from .waking import Bell, bell_here

__all__ = ("DoesTogether", "Line", "Transaction", "Turn")

T = TypeVar("T")
Transaction: TypeAlias = Callable[[sqlite3.Connection], T]

_ANSWERS_WITHIN_S: Final = 10.0
_MOST_TOGETHER: Final = 100
"""Of those who wait; the others' turn comes next."""


@define(eq=False)
class Turn(Generic[T]):
    """A transaction that somebody waits for.

    Attributes:
        erases: What it deletes leaves no trace in the log of old pages either.
        bell: Rung when it was committed, or will not be.
        is_awaited: Nobody is left to be told what comes of it, if not.
    """

    transaction: Transaction[T]
    erases: bool = False
    bell: Bell = field(factory=bell_here, init=False)
    is_awaited: bool = field(default=True, init=False)
    result: Any = field(default=None, init=False)
    error: Exception | None = field(default=None, init=False)

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


DoesTogether: TypeAlias = Callable[[sqlite3.Connection, Sequence[Turn[Any]]], None]
"""Does turns on a connection; raises a `StoreError` that is none of theirs alone."""


class Line:
    """One connection, and those who wait in line for it."""

    def __init__(self, do_together: DoesTogether) -> None:
        self._do_together = do_together
        self._connection: sqlite3.Connection | None = None
        self._waiting: SimpleQueue[Turn[Any] | _Last] = SimpleQueue()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def opened(self) -> sqlite3.Connection:
        """Return the connection.

        Raises:
            StoreError: There is none yet, or no longer.
        """
        if self._connection is None:
            raise StoreError("the storage is not open: use it inside `async with`")
        return self._connection

    def open(self, connection: sqlite3.Connection) -> None:
        """Begin to work on *connection*, which is closed at the end."""
        self._connection = connection
        # It must not keep a program from ending that has forgotten to close the storage.
        Thread(target=self._work, args=[connection], name="voicesession", daemon=True).start()

    async def take_turn(self, turn: Turn[T]) -> T:
        """Do *turn*, together with others that wait, and return what comes of it.

        It is done whole, and in its turn, even if the caller is cancelled meanwhile.

        Raises:
            StoreTimeout: There was no answer in time.
        """
        connection = self.opened()
        self._waiting.put(turn)
        try:
            await _done(turn, connection)
        finally:
            turn.is_awaited = False
        return turn.outcome()

    async def aclose(self) -> None:
        """Close the connection, after what is being done on it. Twice is harmless.

        Raises:
            StoreTimeout: There was no answer in time; it is closed when there is one.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            closing = Turn(sqlite3.Connection.close)
            self._waiting.put(_Last(closing))
            await _done(closing, connection)

    # --- in the thread ---------------------------------------------------------------------

    def _work(self, connection: sqlite3.Connection) -> None:
        last: _Last | None = None
        while last is None:
            turns, last = self._next()
            if turns:
                self._do(connection, turns)
        last.turn.attempt(connection)
        _wake([last.turn])

    def _next(self) -> tuple[list[Turn[Any]], _Last | None]:
        """Return those who wait, of whom there is at least one, and the last if it has come."""
        turns: list[Turn[Any]] = []
        came = self._waiting.get()
        while not isinstance(came, _Last):
            if came.is_awaited:
                turns.append(came)
            if len(turns) == _MOST_TOGETHER or self._waiting.empty():  # nobody else takes any
                return turns, None
            came = self._waiting.get()
        return turns, came

    def _do(self, connection: sqlite3.Connection, turns: Sequence[Turn[Any]]) -> None:
        try:
            self._do_together(connection, turns)
        except Exception as error:  # noqa: BLE001  # whatever it is: those who wait are told
            for turn in turns:
                turn.error = error
        _wake(turns)


@frozen
class _Last:
    """Behind this one nobody comes any more."""

    turn: Turn[None]


async def _done(turn: Turn[Any], connection: sqlite3.Connection) -> None:
    """Wait until *turn* is over, whatever happens to the caller.

    Raises:
        StoreTimeout: There was no answer in time.
    """
    if not await turn.bell.rings_within(_ANSWERS_WITHIN_S):
        connection.interrupt()
        raise StoreTimeout(f"no answer from the database within {_ANSWERS_WITHIN_S:g} s")


def _wake(turns: Sequence[Turn[Any]]) -> None:
    for loop, of_loop in groupby((turn.bell for turn in turns), key=attrgetter("loop")):
        with suppress(RuntimeError):  # a loop that has ended; nobody is left in it
            loop(partial(_ring, list(of_loop)))


def _ring(bells: Sequence[Bell]) -> None:
    for bell in bells:
        bell.ring()
