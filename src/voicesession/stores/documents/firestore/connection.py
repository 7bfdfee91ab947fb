"""A client of Firestore: how it is opened, what it is asked through, and who closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from anyio import to_thread
from anyio.lowlevel import checkpoint
from attrs import frozen

from ...._loop import require_asyncio
from ....core.errors import StoreError
from . import calls
from .library import AsyncClient, GoogleAuthError, message_in

__all__ = ("Connection",)

T = TypeVar("T")


@frozen(kw_only=True, eq=False)
class Connection:
    """An open client.

    Attributes:
        api: A ``FirestoreAsyncClient``, whose types no checker can follow.
        database: ``projects/…/databases/…``.
        metadata: What goes with each call.
        answers_within_s: How long a call waits for its answer.
        is_ours: Whether it was opened here, and is to be closed here.
    """

    api: Any
    database: str
    metadata: Sequence[tuple[str, str]]
    answers_within_s: float
    is_ours: bool

    @classmethod
    async def open(
        cls,
        client: AsyncClient | None,
        *,
        project: str | None,
        database: str,
        answers_within_s: float,
    ) -> Connection:
        """Return what a host's *client* is asked through, or a new one. Nothing is asked yet.

        Raises:
            WrongEventLoop: This is not asyncio.
            StoreUnavailable: Who gives out credentials does not answer.
            StoreError: There are no credentials, or no project.
        """
        require_asyncio("the client of Firestore")
        opened: Any = client or await _new_client(project, database)
        # The client's own calls cannot replace a document at a known update time, nor write
        # several each for itself; what it makes them with can, and has no public name.
        return cls(
            api=opened._firestore_api,  # noqa: SLF001
            database=opened._database_string,  # noqa: SLF001
            metadata=opened._rpc_metadata,  # noqa: SLF001
            answers_within_s=answers_within_s,
            is_ours=client is None,
        )

    async def answer(self, rpc: Callable[..., Awaitable[Any]], request: Any) -> Any:
        """Call one of ``api``'s methods, once, and return the message that it answers with."""
        return message_in(await _cancellable(self._call(rpc, request)))

    async def answers(self, rpc: Callable[..., Awaitable[Any]], request: Any) -> list[Any]:
        """Call one of ``api``'s methods, once, and return all messages that it answers with."""

        async def collected() -> list[Any]:
            return [message_in(each) async for each in await self._call(rpc, request)]

        return await _cancellable(collected())

    async def _call(self, rpc: Callable[..., Awaitable[Any]], request: Any) -> Any:
        return await rpc(request, retry=None, timeout=self.answers_within_s, metadata=self.metadata)

    async def aclose(self) -> None:
        """Close the client, if it was opened here."""
        if self.is_ours:
            await self.api.transport.close()


async def _new_client(project: str | None, database: str) -> AsyncClient:
    try:
        # To look for credentials may mean to read files, and to ask a server.
        return await to_thread.run_sync(lambda: AsyncClient(project=project, database=database))
    except GoogleAuthError as error:
        raise calls.without_credentials(error) from error
    except OSError as error:
        raise StoreError("Firestore: the environment names no project") from error


async def _cancellable(call: Awaitable[T]) -> T:
    try:
        return await call
    except asyncio.CancelledError:
        # It may be one of gRPC's own making, in which anyio would not know its own again.
        await checkpoint()
        raise
