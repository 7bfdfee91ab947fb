"""Time, as the shell asks for it. The core never does: it is told."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

__all__ = ("Clock",)


class Clock(Protocol):
    """Where the runtime gets its time from: the system's, or one that a test turns by hand."""

    def now(self) -> datetime:
        """Return the instant, aware and in UTC."""
        ...

    def monotonic_us(self) -> int:
        """Return microseconds since some fixed point; never less than before."""
        ...

    async def sleep_until(self, monotonic_us: int, /) -> None:
        """Return once ``monotonic_us()`` has reached *monotonic_us*; always a checkpoint."""
        ...
