"""The client library redis-py, the extra ``redis``: no other module imports it."""

from __future__ import annotations

from typing import Any, Protocol

try:
    from redis import exceptions
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'Redis needs {error.name}: pip install "voicesession[redis]"', name=error.name
    ) from error

__all__ = (
    "BlockingConnectionPool",
    "Connection",
    "NoBackoff",
    "Pool",
    "Redis",
    "Retry",
    "exceptions",
)


class Connection(Protocol):
    """What is used of redis-py's connection."""

    async def send_command(self, *args: Any) -> None: ...

    async def read_response(self) -> Any: ...


class Pool(Protocol):
    """What is used of redis-py's pool of connections."""

    async def get_connection(self) -> Connection: ...

    async def release(self, connection: Connection) -> None: ...

    async def aclose(self) -> None: ...
