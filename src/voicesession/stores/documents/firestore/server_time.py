"""What time the server has, without asking it each time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import anyio

from ....core.instants import from_us

__all__ = ("ServerTime",)

_FRESH_FOR_US: Final = 10_000_000


class ServerTime:
    """The time of the last answer, and what has passed here since then.

    It is late by as long as that answer travelled, and by any sleep of this machine: who
    stamps a lease with it holds it for less time, never for longer. It never runs backwards.
    """

    def __init__(self) -> None:
        self._ahead_us = 0
        self._noted_us: int | None = None
        self._last_us = 0

    def note(self, stamp: Any) -> None:
        """Take the time of an answer that has just come, a protobuf ``Timestamp``."""
        self._noted_us = _passed_us()
        self._ahead_us = stamp.ToMicroseconds() - self._noted_us

    @property
    def is_known(self) -> bool:
        """Whether the server has given its time lately."""
        return self._noted_us is not None and _passed_us() - self._noted_us < _FRESH_FOR_US

    def now(self) -> datetime:
        """Return the time as the server has it."""
        self._last_us = max(self._last_us, _passed_us() + self._ahead_us)
        return from_us(self._last_us)


def _passed_us() -> int:
    return int(anyio.current_time() * 1_000_000)
