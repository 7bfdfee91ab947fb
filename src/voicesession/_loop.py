"""The one place that knows that event loops differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from anyio import CancelScope

from .core.errors import WrongEventLoop

__all__ = ("require_asyncio", "shielded", "within")

_US_PER_S: Final = 1_000_000


def require_asyncio(adapter: str) -> None:
    """Refuse, early and in plain words, to run *adapter* outside asyncio.

    ``current_task()`` is asked rather than ``get_running_loop()``: under Trio's guest mode
    a loop is running, and yet we are not in one of its tasks.

    Raises:
        WrongEventLoop: The caller is not inside an asyncio task.
    """
    try:
        is_inside = asyncio.current_task() is not None
    except RuntimeError:
        is_inside = False
    if not is_inside:
        raise WrongEventLoop(f"{adapter} runs on asyncio only: the library under it does")


@asynccontextmanager
async def within(limit_us: int) -> AsyncGenerator[None]:
    """Cancel what is inside, once, when *limit_us* microseconds have passed. asyncio only.

    Once, as libraries written for asyncio expect: a scope of anyio would also cancel what
    they await to clean up.

    Raises:
        TimeoutError: It was cancelled.
    """
    async with asyncio.timeout(limit_us / _US_PER_S):
        yield


@asynccontextmanager
async def shielded(limit_us: int) -> AsyncGenerator[None]:
    """Keep the caller's cancellation out, so that a write is whole or not begun. asyncio only.

    A caller that is cancelled meanwhile waits, no longer than *limit_us* microseconds, and
    finds itself cancelled at its next await. An asyncio ``Task.cancel`` goes through: it
    comes once, and so does no harm.

    Raises:
        TimeoutError: The time has passed; what was written is unknown.
    """
    with CancelScope(shield=True):
        async with within(limit_us):
            yield
