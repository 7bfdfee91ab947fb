"""A bounded pool of connections, and what goes wrong on them in our own words."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, cast

from ...._loop import require_asyncio, shielded
from ....core.errors import InvalidConfig, StoreError, StoreTimeout, StoreUnavailable
from .library import BlockingConnectionPool, NoBackoff, Pool, Redis, Retry, exceptions
from .scripts import Script

__all__ = ("Connections",)

_US: Final = timedelta(microseconds=1)

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
        self._limit_us = answers_within // _US
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
            StoreUnavailable: Nothing was written.
            StoreTimeout: There was no answer; whether anything was written is unknown.
            StoreError: Something is wrong that will not pass.
        """
        try:
            return await self.ask("EVALSHA", script.sha, len(keys), *keys, *args)
        except _NotTaught:
            return await self.ask("EVAL", script.source, len(keys), *keys, *args)

    async def ask(self, *command: str | bytes | int) -> Any:
        """Return the server's answer.

        Raises:
            StoreUnavailable: As for `run`.
            StoreTimeout: As for `run`.
            StoreError: As for `run`.
        """
        require_asyncio("Redis")
        was_sent = False
        try:
            async with shielded(self._limit_us):
                with _named_in_our_words():
                    connection = await self._pool.get_connection()
                try:
                    was_sent = True
                    with _named_in_our_words(was_sent=True):
                        await connection.send_command(*command)
                        return await connection.read_response()
                finally:
                    await self._pool.release(connection)
        except TimeoutError as error:
            kind = StoreTimeout if was_sent else StoreUnavailable
            raise kind(f"Redis: no answer in {self._limit_us / 1_000_000:g} s") from error


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
            raise StoreTimeout("the connection to Redis broke before it answered") from error
        raise StoreUnavailable("Redis cannot be reached") from error
    except exceptions.RedisError as error:
        text = str(error)
        for word, what in _PASSING.items():
            if word in text:
                raise StoreUnavailable(f"Redis {what}") from error
        raise StoreError(f"Redis refused a command: {text.split(' ', maxsplit=1)[0]}") from error
