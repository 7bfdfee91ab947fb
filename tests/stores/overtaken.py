"""A medium on which somebody else is faster."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from voicesession.ports.documents import Write
from voicesession.stores.documents import MemoryDocumentDriver

__all__ = ("Overtaken",)


class Overtaken(MemoryDocumentDriver):
    """A medium on which somebody else is faster, once.

    Attributes:
        meanwhile: What is done before the next write.
    """

    meanwhile: Callable[[], Coroutine[Any, Any, object]] | None = None

    async def write(self, writes: Sequence[Write], /) -> None:
        await self._let_others()
        await super().write(writes)

    async def write_each(self, writes: Sequence[Write], /) -> Sequence[bool]:
        await self._let_others()
        return await super().write_each(writes)

    async def _let_others(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
