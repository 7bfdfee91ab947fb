"""
Those of one process who would be in each other's way, one after the other.

Whoever writes what somebody else has written meanwhile has worked for nothing, and works once more.
Other processes cannot be seen coming; the neighbours in the same one can.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

import anyio

__all__ = ("Turns",)

_PATIENCE_S: Final = 1.0


class Turns:
    """Who waits for whom. Nothing depends on it but how often work is done twice.

    Args:
        at_once: How many of those who name the same thing get in each other's way seldom enough.
    """

    def __init__(self, *, at_once: int) -> None:
        self._at_once = at_once
        self._lines: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncGenerator[None]:
        """Wait for a turn among those of *name*, but not longer than a second; then go on without.

        A store that is away must fail for all who wait within the same time, not one by one.
        """
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = anyio.Semaphore(self._at_once, fast_acquire=True)
        has_turn = False
        with anyio.move_on_after(_PATIENCE_S):
            await line.acquire()
            has_turn = True
        try:
            yield
        finally:
            if has_turn:
                line.release()
