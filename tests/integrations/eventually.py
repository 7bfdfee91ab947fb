"""Waiting for what somebody else's runtime will do: it tells nobody when it has."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import anyio


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = 20
) -> None:
    """Return once *condition* holds."""
    with anyio.fail_after(within_s):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await anyio.sleep(0.01)
