"""What to do when somebody else was faster: read again, decide again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from ...core.errors import StoreUnavailable
from ...ports.documents import RevisionConflict

__all__ = ("persistently",)

T = TypeVar("T")

_TRIES: Final = 40
_FIRST_WAIT_S: Final = 0.001
_LONGEST_WAIT_S: Final = 0.25


async def persistently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what *attempt* returns, making it again as long as it meets a conflict.

    Each attempt reads what it decides on, so what it refuses is refused for good. Between
    two of them lies a random pause, which grows.

    Raises:
        StoreUnavailable: Too many others write the same documents; nothing was written.
    """
    longest_s = _FIRST_WAIT_S
    for _ in range(_TRIES):
        try:
            return await attempt()
        except RevisionConflict:
            await anyio.sleep(random.uniform(0, longest_s))  # noqa: S311  # to come apart
            longest_s = min(longest_s * 2, _LONGEST_WAIT_S)
    raise StoreUnavailable(f"others have changed the same documents {_TRIES} times meanwhile")
