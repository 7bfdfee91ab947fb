"""Waiting for what somebody else's runtime will do: it tells nobody when it has."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import anyio
from tests.patience import PATIENCE_S

from voicesession import SessionManager


async def eventually(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return once *condition* holds."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await anyio.sleep(0.01)


async def said_by_now(voice: SessionManager, session_id: str, count: int) -> list[str]:
    """Return who said what, once there are so many utterances."""
    said: list[str] = []

    async def read() -> bool:
        transcript = await voice.transcript(session_id)
        said[:] = [f"{one.speaker}: {one.text}" for one in transcript.utterances]
        return len(said) >= count

    await eventually(read)
    return said
