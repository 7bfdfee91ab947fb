"""How many answers are still awaited, and a way to wait for none."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from .bell import Bell

__all__ = ("Busy",)


class Busy:
    """Counts work under way."""

    __slots__ = ("_count", "_idle")

    def __init__(self) -> None:
        self._count = 0
        self._idle = Bell()

    def __bool__(self) -> bool:
        return self._count > 0

    def begin(self) -> None:
        """Note that something was asked for."""
        self._count += 1

    def done(self) -> None:
        """Note that it was answered, or never will be."""
        self._count -= 1
        if self._count == 0:
            self._idle.ring()

    @contextmanager
    def resting(self) -> Generator[None]:
        """Do not count one piece of work for the length of the block: it waits, and works not."""
        self.done()
        try:
            yield
        finally:
            self.begin()

    async def idle(self) -> None:
        """Return once nothing is under way."""
        while self:
            await self._idle.wait()
