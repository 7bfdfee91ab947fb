"""
How Firestore is called: what an error means, when to call again, and how long to wait.

A call that was turned away is made again a few times, with growing pauses, as long as its time
lasts. The client's own retries are turned off: they forget that a write whose answer was lost
may be done.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import anyio

from ....core.backoff import Backoff
from ....core.errors import StoreError, StoreTimeout, StoreUnavailable
from .library import GoogleAuthError, exceptions

__all__ = (
    "NOT_DONE",
    "NOT_EXPECTED",
    "REFUSED",
    "UNCLEAR",
    "in_time",
    "read",
    "refused",
    "tries",
    "without_credentials",
)

T = TypeVar("T")

_BACKOFF: Final = Backoff(retries=4, first_us=50_000, longest_us=1_000_000)

NOT_DONE: Final = (exceptions.Aborted, exceptions.ResourceExhausted)
"""Turned away for now: others write the same documents, or the quota is used up."""

UNCLEAR: Final = (
    exceptions.ServiceUnavailable,
    exceptions.GatewayTimeout,
    exceptions.InternalServerError,
    exceptions.Unknown,
    exceptions.Cancelled,
)
"""No answer, or one that does not say whether it was done."""

NOT_EXPECTED: Final = (
    exceptions.AlreadyExists,
    exceptions.NotFound,
    exceptions.FailedPrecondition,
)
"""A document is not what a write expects; or the database is not what we think it is."""

REFUSED: Final = (exceptions.GoogleAPICallError, GoogleAuthError)
"""Everything that a call may raise."""


@contextmanager
def in_time(within_s: float, *, shield: bool = False) -> Generator[None]:
    """Give up what is done inside, and end its calls, when its time is over.

    Args:
        shield: Go on to the end although the caller is cancelled.

    Raises:
        StoreTimeout: It took too long.
    """
    with anyio.move_on_after(within_s, shield=shield) as scope:
        yield
    if scope.cancelled_caught:
        raise StoreTimeout(f"no answer from Firestore within {within_s:g} s")


async def tries() -> AsyncIterator[None]:
    """Yield as often as a call may be made, with pauses between."""
    yield
    for delay_us in _BACKOFF.delays_us(iter(random.random, None)):
        await anyio.sleep(delay_us / 1_000_000)
        yield


async def read(call: Callable[[], Awaitable[T]]) -> T:
    """Return the answer of *call*, which writes nothing.

    Raises:
        StoreUnavailable: There is none for now.
        StoreError: It is refused.
    """
    failure: Exception | None = None
    async for _ in tries():
        try:
            return await call()
        except (*NOT_DONE, *UNCLEAR) as error:
            failure = error
        except REFUSED as error:
            raise refused(error) from error
    raise StoreUnavailable(f"Firestore does not answer: {_named(failure)}") from failure


def refused(error: Exception) -> StoreError:
    """Return what a refusal for good is to us; to be raised from *error*."""
    if isinstance(error, GoogleAuthError):
        return without_credentials(error)
    return StoreError(f"Firestore refused: {_named(error)}")


def without_credentials(error: Any) -> StoreError:
    """Return what an error of Google's authentication is to us; to be raised from it.

    Its own text stays where it is: it may quote what it was given.
    """
    kind = StoreUnavailable if error.retryable else StoreError
    return kind("Firestore: there are no credentials that work")


def _named(error: Any) -> str:
    code = getattr(error, "grpc_status_code", None)
    return type(error).__name__ if code is None else f"{code.name}: {error.message}"
