"""A client of Firestore: how it is opened, what it is asked through, and who closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from anyio import to_thread
from anyio.lowlevel import checkpoint
from attrs import frozen

from ...._loop import require_asyncio
from ....core.errors import StoreError
from . import calls
from .library import AsyncClient, GoogleAuthError, message_in

__all__ = ("Connection",)

T = TypeVar("T")

_CLIENT: Final = "the client of Firestore"


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
        cls, *, project: str | None, database: str, answers_within_s: float
    ) -> Connection:
        """Open a client as the environment wants it; nothing is asked of the server yet.

        Raises:
            WrongEventLoop: This is not asyncio.
            StoreUnavailable: The credentials' server does not answer.
            StoreError: There are no credentials, or no project.
        """
        require_asyncio(_CLIENT)
        try:
            # To look for credentials may mean to read files, and to ask a server.
            client = await to_thread.run_sync(
                lambda: AsyncClient(project=project, database=database)
            )
        except GoogleAuthError as error:
            raise calls.without_credentials(error) from error
        except OSError as error:
            raise StoreError("Firestore: the environment names no project") from error
        return cls._of(client, answers_within_s=answers_within_s, is_ours=True)

    @classmethod
    def of(cls, client: AsyncClient, *, answers_within_s: float) -> Connection:
        """Return what a host's own client is asked through.

        Raises:
            WrongEventLoop: This is not asyncio.
        """
        require_asyncio(_CLIENT)
        return cls._of(client, answers_within_s=answers_within_s, is_ours=False)

    @classmethod
    def _of(cls, client: Any, *, answers_within_s: float, is_ours: bool) -> Connection:
        # The client's own calls cannot replace a document at a known update time, nor write
        # several each for itself; what it makes them with can, and has no public name.
        return cls(
            api=client._firestore_api,  # noqa: SLF001
            database=client._database_string,  # noqa: SLF001
            metadata=client._rpc_metadata,  # noqa: SLF001
            answers_within_s=answers_within_s,
            is_ours=is_ours,
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


async def _cancellable(call: Awaitable[T]) -> T:
    try:
        return await call
    except asyncio.CancelledError:
        # It may be one of gRPC's own making, in which anyio would not know its own again.
        await checkpoint()
        raise
