"""``/healthz``, ``/readyz`` and ``/metrics``: for whoever keeps the process running."""

from __future__ import annotations

from typing import Final

import anyio
from anyio import to_thread

from ...core.errors import DeadlineExceeded, Draining
from ...schemas.refusals import NotFound
from ...schemas.requests import Nothing
from ..call import Answer, Call, json_answer

__all__ = ("PROMETHEUS_TEXT", "healthz", "metrics", "readyz")

PROMETHEUS_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The exposition format of Prometheus, as ``prometheus_client.generate_latest`` writes it."""

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


async def metrics(call: Call[Nothing, Nothing]) -> Answer:
    """Return what this worker has measured, over all tenants, as Prometheus reads it."""
    gather = call.options.metrics
    if gather is None:
        raise NotFound("no metrics are kept here")
    # It may collect for a while, or read files of other processes; the audio goes on.
    return Answer(content=await to_thread.run_sync(gather), media_type=PROMETHEUS_TEXT)
