"""Objects in a dict: for tests, and for hosts that keep nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from anyio import to_thread
from anyio.lowlevel import checkpoint
from attrs import frozen

from ..ports.objects import ObjectNotFound, StoredObject
from .keys import check_key, check_page, check_range

__all__ = ("MemoryObjectStore",)


@frozen
class _Kept:
    data: bytes
    at: datetime


class MemoryObjectStore:
    """Keeps objects until the process ends. Runs on asyncio and on Trio.

    Nothing is durable, and nothing bounds what it holds.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    async def put(self, key: str, data: bytes, /) -> str:
        """See ``ObjectStore.put``. The URI is a ``memory:`` one, and leads nowhere."""
        check_key(key)
        await checkpoint()
        self._kept[key] = _Kept(data, _now())
        return f"memory:///{key}"

    async def put_pieces(self, key: str, pieces: Iterable[bytes], /) -> str:
        """See ``ObjectStore.put_pieces``, but for the bound."""
        check_key(key)
        return await self.put(key, await to_thread.run_sync(b"".join, pieces))

    async def get(self, key: str, /, *, start: int = 0, end: int | None = None) -> bytes:
        """See ``ObjectStore.get``."""
        check_key(key)
        check_range(start, end)
        await checkpoint()
        if key not in self._kept:
            raise ObjectNotFound(key)
        return self._kept[key].data[start:end]

    async def find(
        self, prefix: str = "", /, *, after: str = "", limit: int = 1_000
    ) -> Sequence[StoredObject]:
        """See ``ObjectStore.find``. It looks at every key."""
        check_page(prefix, limit)
        await checkpoint()
        wanted = (key for key in self._kept if key.startswith(prefix) and key > after)
        return [
            StoredObject(key, len(self._kept[key].data), self._kept[key].at)
            for key in heapq.nsmallest(limit, wanted)
        ]

    async def delete(self, key: str, /) -> None:
        """See ``ObjectStore.delete``."""
        check_key(key)
        await checkpoint()
        self._kept.pop(key, None)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a store stamps its own time
