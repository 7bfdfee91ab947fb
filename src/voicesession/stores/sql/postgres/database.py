"""
Scripts on PostgreSQL, each in a transaction of its own, as a task of its own.

A task of its own, because whoever waits for it may be cancelled, and it must not be left in the
middle. It has a deadline instead; when that passes the connection is closed, because nobody
knows what is going on at its other end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final, TypeVar

from ...._loop import require_asyncio, shielded
from ....ports.storage import Change
from ...codec import Stored
from ..commits import commit
from ..database import Asked, MakesScript, Script
from .connections import Connection, Connections
from .dialect import PostgresDialect, as_the_codec_wrote
from .errors import AGAIN, DYING, LOST, Unanswered, errors_named
from .gathering import Gathering
from .swapping import swap

__all__ = ("PostgresDatabase",)

T = TypeVar("T")

_ANSWERS_WITHIN_S: Final = 10.0
_ENDS_WITHIN_US: Final = 60_000_000
_ATTEMPTS: Final = 5
_ALONE: Final = "BEGIN"
_ON_ONE_STATE: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresDatabase:
    """See `Database`. Commits that wait for the one before are gathered into one statement."""

    def __init__(self, connections: Connections, schema: str | None) -> None:
        self._connections = connections
        self._sql = _dialect(schema)
        self._running: set[asyncio.Task[Any]] = set()
        self._gathering = Gathering(self._swap, self._start)

    async def read(self, makes_script: MakesScript[T], /) -> T:
        return await self._as_a_task(lambda: self._read(makes_script, _ON_ONE_STATE))

    async def ask(self, makes_script: MakesScript[T], /) -> T:
        return await self._as_a_task(lambda: self._read(makes_script, None))

    async def write(self, makes_script: MakesScript[T], /) -> T:
        return await self._as_a_task(lambda: self._write(makes_script))

    async def erase(self, makes_script: MakesScript[T], /) -> T:
        return await self.write(makes_script)  # what is deleted here goes at the next vacuum

    async def commit(self, change: Change, /) -> None:
        if change.expected_seq is None or not await self._swapped(change):
            await self.write(lambda: commit(change))

    async def aclose(self) -> None:
        """Wait for what still goes on although nobody waits for it any more."""
        if self._running:
            await asyncio.wait(self._running)

    # --- inside --------------------------------------------------------------------------------

    async def _as_a_task(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        require_asyncio("PostgresStorage")
        return await _outcome(self._start(work()))

    async def _swapped(self, change: Change) -> bool:
        require_asyncio("PostgresStorage")
        return await _outcome(self._gathering.join(change))

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _read(self, makes_script: MakesScript[T], begin: str | None) -> T:
        return await _in_time(lambda: self._run(makes_script, begin), repeats_unknown=True)

    async def _write(self, makes_script: MakesScript[T]) -> T:
        return await _in_time(lambda: self._run(makes_script, _ALONE), repeats_unknown=False)

    async def _swap(self, changes: Sequence[Change]) -> frozenset[str]:
        return await _in_time(lambda: self._run(lambda: swap(changes), None), repeats_unknown=False)

    async def _run(self, makes_script: MakesScript[T], begin: str | None) -> T:
        async with self._connections.lend() as connection, _left_whole(connection):
            may_be_done = begin is None
            try:
                if begin is not None:
                    await connection.execute(begin)
                result = await self._driven(connection, makes_script())
                if begin is not None:
                    may_be_done = True
                    await connection.execute("COMMIT")
            except LOST as error:
                raise Unanswered(may_be_done=may_be_done) from error
            return result

    async def _driven(self, connection: Connection, script: Script[T]) -> T:
        try:
            asked = next(script)
            while True:
                asked = script.send(await self._answer(connection, asked))
        except StopIteration as returned:
            result: T = returned.value
            return result

    async def _answer(self, connection: Connection, asked: Asked) -> Sequence[Stored]:
        statement, values = asked
        compiled = self._sql.compiled(statement)
        if isinstance(values, list):
            await connection.executemany(compiled.text, [compiled.places(row) for row in values])
            return ()
        records = await connection.fetch(compiled.text, *compiled.places(values))
        return as_the_codec_wrote(records)


async def _outcome(of: asyncio.Future[T]) -> T:
    # It goes on even if asyncio cancels its caller. It ends by its own deadlines; this one is
    # never met.
    async with shielded(_ENDS_WITHIN_US):
        return await asyncio.shield(of)


async def _in_time(work: Callable[[], Coroutine[Any, Any, T]], *, repeats_unknown: bool) -> T:
    """Do *work* before the deadline, and again where that does no harm and may help.

    Args:
        repeats_unknown: Also when it is unknown whether it was done.
    """
    with errors_named():
        async with asyncio.timeout(_ANSWERS_WITHIN_S):
            for _ in range(_ATTEMPTS - 1):
                try:
                    return await work()
                except AGAIN:
                    pass
                except Unanswered as error:
                    if error.may_be_done and not repeats_unknown:
                        raise
            return await work()


@asynccontextmanager
async def _left_whole(connection: Connection) -> AsyncGenerator[None]:
    """Undo what was begun on *connection* if something fails; close it if it is at work."""
    try:
        yield
    except asyncio.CancelledError:
        connection.terminate()  # the deadline: nobody knows what goes on at the other end
        raise
    except Unanswered:
        raise  # there is none any more
    except DYING:
        connection.terminate()
        raise
    except BaseException:
        if not connection.is_closed() and connection.is_in_transaction():
            await connection.execute("ROLLBACK")
        raise


@lru_cache(maxsize=32)
def _dialect(schema: str | None) -> PostgresDialect:
    # Shared, so that each statement is compiled once for all storages.
    return PostgresDialect(schema)
