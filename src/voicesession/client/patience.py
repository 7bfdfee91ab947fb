"""Coming back to a server that was lost: how often, and when."""

from __future__ import annotations

import random
from typing import Final

import anyio

from ..core.backoff import Backoff
from ..core.errors import VoiceSessionError

__all__ = ("Patience",)

_US_PER_S: Final = 1_000_000


class Patience:
    """Waits before the same is tried again, and gives up after so many times in a row."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures = 0

    def renew(self) -> None:
        """Begin to count anew: something has succeeded."""
        self._failures = 0

    async def wait_after(self, error: VoiceSessionError) -> None:
        """Return when it is time to try again.

        Raises:
            VoiceSessionError: *error*, if it is of no use, or has come too often.
        """
        if not error.retryable or self._failures >= self._backoff.retries:
            raise error
        delay_us = self._backoff.delay_us(self._failures, random.random())  # noqa: S311  # no secret
        self._failures += 1
        await anyio.sleep(delay_us / _US_PER_S)
