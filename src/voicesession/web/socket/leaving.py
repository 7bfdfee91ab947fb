"""
What a connection leaves behind: a session that waits for its client, is over, or is another's.

A store that is away is waited for, for as long as the session is ours: there may be words that it
does not have yet, and somebody who has asked for the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from ...core.errors import InvalidState, LeaseLost, StoreError, StoreUnavailable
from ...core.session import Session
from ...core.states import PauseReason, SessionState
from ...ports.clock import Clock
from ...runtime.handle import SessionHandle
from ...runtime.manager import SessionManager

__all__ = ("check_taken_over", "ended", "leave")

T = TypeVar("T")

_TRY_AGAIN_US: Final = 250_000


async def leave(handle: SessionHandle, clock: Clock) -> None:
    """Let the session wait for its client; where that is for no time at all, it ends.

    Where the store stays away, its lease lapses, and then it waits, too.
    """
    with suppress(InvalidState, LeaseLost, StoreUnavailable):
        # If it waits already, is over, or goes on elsewhere, that is all.
        await _stored(handle.disconnected, handle, clock)
        await _stored(handle.ownership.pass_time, handle, clock)
    with suppress(StoreError):
        await handle.ownership.hand_over(client_gone=True)


async def ended(handle: SessionHandle, clock: Clock) -> Session | None:
    """End the session; return it once everything is stored, or None if it is not ours any more.

    Raises:
        StoreUnavailable: The store has stayed away for so long.
    """
    with suppress(LeaseLost):
        session = await _stored(handle.end, handle, clock)
        if session.state is SessionState.ENDED:
            return session
    return None


async def check_taken_over(handle: SessionHandle, voice: SessionManager) -> None:
    """Return if the session that is not ours any more is somebody else's.

    Raises:
        StoreUnavailable: Nobody has it: the store was away for longer than a lease.
    """
    session = await voice.get(handle.session.id)
    is_kept_for_us = session.worker_id is not None and session.epoch == handle.ownership.epoch
    if is_kept_for_us or PauseReason.WORKER_LOST in session.pause_reasons:
        raise StoreUnavailable("it was away for longer than a lease")


async def _stored(write: Callable[[], Awaitable[T]], handle: SessionHandle, clock: Clock) -> T:
    while True:
        try:
            return await write()
        except StoreUnavailable:
            if handle.is_over:
                raise
            await clock.sleep_until(clock.monotonic_us() + _TRY_AGAIN_US)
