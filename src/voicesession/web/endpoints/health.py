"""``/healthz`` and ``/readyz``: for whoever keeps the process running."""

from __future__ import annotations

from typing import Final

import anyio

from ...core.errors import DeadlineExceeded, Draining
from ...schemas.requests import Nothing
from ..call import Answer, Call, json_answer

__all__ = ("healthz", "readyz")

_TAKES_AT_MOST_S: Final = 2.0


async def healthz(_call: Call[Nothing, Nothing]) -> Answer:
    """Say that the process is there; nothing is asked for it."""
    return json_answer({"status": "ok"})


async def readyz(call: Call[Nothing, Nothing]) -> Answer:
    """Say that new sessions are welcome: the store answers, and nobody has said to leave."""
    if call.voice.is_draining:
        raise Draining("this worker is leaving; another one takes new sessions")
    with anyio.move_on_after(_TAKES_AT_MOST_S):
        await call.voice.find(limit=1)
        return json_answer({"status": "ready"})
    raise DeadlineExceeded("the store did not answer in time")
