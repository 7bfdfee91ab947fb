"""Waiting for the next change of something, whatever it is."""

from __future__ import annotations

import anyio

__all__ = ("Bell",)


class Bell:
    """Wakes whoever waits at the moment when it rings; costs nothing where nobody waits."""

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        self._rings: anyio.Event | None = None

    def ring(self) -> None:
        """Wake all who wait."""
        rings, self._rings = self._rings, None
        if rings is not None:
            rings.set()

    async def wait(self) -> None:
        """Return when it rings the next time."""
        if self._rings is None:
            self._rings = anyio.Event()
        await self._rings.wait()
