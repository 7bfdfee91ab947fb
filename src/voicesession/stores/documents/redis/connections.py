"""A bounded pool of connections, and what goes wrong on them in our own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final, cast

from anyio import CancelScope

from ...._loop import require_asyncio
from ....core.errors import InvalidConfig, StoreError, StoreTimeout, StoreUnavailable
from .library import BlockingConnectionPool, Connection, NoBackoff, Pool, Redis, Retry, exceptions
from .scripts import Script

__all__ = ("ConnectionBroke", "Connections")

# What the server says, alone or inside the message of a failed script, when it may soon be
# able to do the same: nothing was written.
_PASSING: Final = {
    "OOM": "is out of memory",
    "READONLY": "is a read-only replica",
    "MISCONF": "cannot write to its disk",
    "LOADING": "is loading its data",
    "BUSY ": "is busy with a script",
    "NOREPLICAS": "has too few replicas",
    "MASTERDOWN": "has lost its primary",
    "TRYAGAIN": "asks to try again",
}


class Connections:
    """Connections to one server: our own pool, or that of the host's client."""

    def __init__(
        self, target: str | Redis, *, max_connections: int, answers_within: timedelta
    ) -> None:
        self._limit_s = answers_within.total_seconds()
        self._is_ours = isinstance(target, str)
        self._pool = (
            _pool_of(target, max_connections)
            if isinstance(target, str)
            else cast("Pool", target.connection_pool)
        )

    async def aclose(self) -> None:
        """Close the connections, if they are ours."""
        if self._is_ours:
            await self._pool.aclose()

    async def run(self, script: Script, keys: Sequence[str], *args: str | bytes | int) -> Any:
        """Return what *script* returns; the server is taught it if it does not know it.

        Raises:
            ConnectionBroke: Before there was an answer.
            StoreUnavailable: Nothing was written.
            StoreTimeout: There was no answer; whether anything was written is unknown.
            StoreError: Something is wrong that will not pass.
        """
        try:
            return await self._ask("EVALSHA", script.sha, len(keys), *keys, *args)
        except _NotTaught:
            return await self._ask("EVAL", script.source, len(keys), *keys, *args)

    async def read(self, script: Script, keys: Sequence[str], *args: str | bytes | int) -> Any:
        """Return what *script*, which may run twice, returns; over another connection if one breaks.

        Raises:
            StoreUnavailable: As for `run`.
            StoreTimeout: As for `run`.
            StoreError: As for `run`.
        """
        try:
            return await self.run(script, keys, *args)
        except ConnectionBroke:
            return await self.run(script, keys, *args)

    async def ask(self, *command: str) -> Any:
        """Return the answer to a command that only reads, as `read` does.

        Raises:
            StoreUnavailable: As for `run`.
            StoreTimeout: As for `run`.
            StoreError: As for `run`.
        """
        try:
            return await self._ask(*command)
        except ConnectionBroke:
            return await self._ask(*command)

    async def _ask(self, *command: str | bytes | int) -> Any:
        require_asyncio("Redis")
        was_sent = False
        try:
            # anyio would cancel redis-py again while it cleans up, and cost a connection each
            # time; the deadline, which is asyncio's, cancels once.
            with CancelScope(shield=True):
                async with asyncio.timeout(self._limit_s), self._connection() as connection:
                    was_sent = True
                    with _named_in_our_words(was_sent=True):
                        await connection.send_command(*command)
                        return await connection.read_response()
        except TimeoutError as error:
            kind = StoreTimeout if was_sent else StoreUnavailable
            raise kind(f"Redis gave no answer in {self._limit_s:g} s") from error

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        with _named_in_our_words():
            connection = await self._pool.get_connection()
        try:
            yield connection
        finally:
            await self._pool.release(connection)


class ConnectionBroke(StoreTimeout):
    """The connection was cut before there was an answer, perhaps long before it was used."""


class _NotTaught(Exception):
    """The server does not know the script; it has done nothing."""


def _pool_of(url: str, max_connections: int) -> Pool:
    try:
        pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # **kwargs
            url,
            max_connections=max_connections,
            timeout=None,  # ours holds for everything together
            socket_timeout=None,
            socket_connect_timeout=None,
            # A write that is repeated after it was done would be told that it conflicts.
            retry=Retry(NoBackoff(), 0),
            # With version 3 it does not look whether a waiting connection was cut.
            protocol=2,
        )
    except ValueError:
        # Nothing of the URL is shown: it may hold a password.
        raise InvalidConfig(
            "store", "an address of Redis", "redis://, rediss:// or unix://"
        ) from None
    return cast("Pool", pool)


@contextmanager
def _named_in_our_words(*, was_sent: bool = False) -> Generator[None]:
    try:
        yield
    except exceptions.NoScriptError:
        raise _NotTaught from None
    except (exceptions.AuthenticationError, exceptions.AuthorizationError) as error:
        raise StoreError("Redis refuses the name or the password") from error
    except exceptions.BusyLoadingError as error:
        raise StoreUnavailable("Redis is loading its data") from error
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
        if was_sent:
            raise ConnectionBroke("the connection to Redis broke before it answered") from error
        raise StoreUnavailable("Redis cannot be reached") from error
    except exceptions.RedisError as error:
        text = str(error)
        for word, what in _PASSING.items():
            if word in text:
                raise StoreUnavailable(f"Redis {what}") from error
        raise StoreError(f"Redis refused a command: {text.split(' ', maxsplit=1)[0]}") from error
