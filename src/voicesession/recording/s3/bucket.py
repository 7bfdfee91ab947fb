"""A bucket, and the manners of talking to it: deadlines, further tries, errors in our words."""

from __future__ import annotations

import random
from asyncio import timeout
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from anyio import CancelScope, Lock, sleep
from anyio.lowlevel import checkpoint_if_cancelled

from ..._loop import require_asyncio
from ...core.errors import StoreUnavailable
from .faults import telling
from .settings import Checksums, S3Limits

__all__ = ("Bucket", "Client", "HostsClient", "OwnClient", "S3Client")

S3Client: TypeAlias = Any
"""An open client of aiobotocore, which makes its methods when it is opened."""

_US_PER_S: Final = 1_000_000
_USER_AGENT: Final = "voicesession"
"""Fixed: the client puts its own together for each request, which is a sixth of its cost."""
_T = TypeVar("_T")


class Client(Protocol):
    """Where a bucket gets its client from."""

    async def get(self) -> S3Client:
        """Return the client, open."""
        ...

    async def aclose(self) -> None:
        """Close it, if it is ours."""
        ...


class HostsClient:
    """A client that the host has opened, and closes."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    async def get(self) -> S3Client:
        return self._client

    async def aclose(self) -> None:
        pass


class OwnClient:
    """A client that is opened when it is first needed, and again when needed after closing.

    Its credentials come from where every tool of AWS looks for them. It tries nothing
    twice by itself: that is the bucket's to decide.
    """

    def __init__(
        self,
        *,
        endpoint_url: str | None,
        region: str | None,
        checksums: Checksums,
        limits: S3Limits,
    ) -> None:
        self._place: dict[str, Any] = {"endpoint_url": endpoint_url, "region_name": region}
        self._config: dict[str, Any] = {
            "signature_version": "s3v4",  # else signed URLs would be of the old kind
            "retries": {"total_max_attempts": 1},
            "connect_timeout": limits.connect_us / _US_PER_S,
            "read_timeout": limits.request_us / _US_PER_S,
            "max_pool_connections": limits.connections,
            "request_checksum_calculation": str(checksums),
            "response_checksum_validation": str(checksums),
            "warm_up_loader_caches": True,  # in a thread: it reads for 100 ms
            "user_agent": _USER_AGENT,
        }
        self._opening = Lock()
        self._opened: tuple[AsyncExitStack, S3Client] | None = None

    async def get(self) -> S3Client:
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    self._opened = await self._open()
        return self._opened[1]

    async def aclose(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[0].aclose()

    async def _open(self) -> tuple[AsyncExitStack, S3Client]:
        session: Any = AioSession()
        config = AioConfig(**self._config)
        stack = AsyncExitStack()
        client = session.create_client("s3", config=config, **self._place)
        return stack, await stack.enter_async_context(client)


class Bucket:
    """One bucket. A request is a function of a client; how it is made is decided here.

    Each try has its deadline, by asyncio's own ``timeout``: that cancels once, as the client
    expects, where a scope of anyio would cancel again what it awaits to clean up.
    """

    def __init__(self, name: str, client: Client, limits: S3Limits) -> None:
        self.name = name
        self._client = client
        self._limits = limits

    async def read(self, key: str, request: Callable[[S3Client], Awaitable[_T]]) -> _T:
        """Return what *request* returns, tried again where that may help.

        Raises:
            StoreError: It failed; see ``telling``.
        """
        return await self._tried(key, partial(self._once, request))

    async def write(self, key: str, request: Callable[[S3Client], Awaitable[_T]]) -> _T:
        """Return what *request* returns; anyio cancels no try that has begun.

        Raises:
            StoreError: It failed; see ``telling``.
        """
        return await self._tried(key, partial(self._shielded, request))

    async def write_once(self, key: str, request: Callable[[S3Client], Awaitable[_T]]) -> _T:
        """Return what *request* returns, tried once, even for a caller who is cancelled already.

        Raises:
            StoreError: It failed; see ``telling``.
        """
        with telling(self.name, key):
            return await self._shielded(request)

    async def aclose(self) -> None:
        """Close the client, if it is ours."""
        with _shield():
            await self._client.aclose()

    async def _tried(self, key: str, attempt: Callable[[], Awaitable[_T]]) -> _T:
        require_asyncio("S3ObjectStore")
        waits_us = self._limits.backoff.delays_us(iter(random.random, None))
        while True:
            await checkpoint_if_cancelled()  # a write that has begun is not cancelled any more
            try:
                with telling(self.name, key):
                    return await attempt()
            except StoreUnavailable:
                wait_us = next(waits_us, None)
                if wait_us is None:
                    raise
                await sleep(wait_us / _US_PER_S)

    async def _shielded(self, request: Callable[[S3Client], Awaitable[_T]]) -> _T:
        with _shield():
            return await self._once(request)

    async def _once(self, request: Callable[[S3Client], Awaitable[_T]]) -> _T:
        async with timeout(self._limits.request_us / _US_PER_S):
            return await request(await self._client.get())


@contextmanager
def _shield() -> Generator[None]:
    with CancelScope(shield=True):
        yield
