"""How long a test waits for what must come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

import anyio

from voicesession import StoreUnavailable

__all__ = ("PATIENCE_S", "answered")

Answer = TypeVar("Answer")

# Far more than a machine needs that is given half a core: a test that passes waits for none of it.
PATIENCE_S: Final = 60


async def answered(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return what *call* returns once the store can do it again."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            with suppress(StoreUnavailable):
                return await call()
