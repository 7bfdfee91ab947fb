"""How a stream of events goes on: it looks for news, and says that it is still there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

import anyio

from ...core.errors import VoiceSessionError
from ..call import Call
from ..streams import EVENT_STREAM, HEARTBEAT

__all__ = ("follow", "wants_stream")

_S_PER_BEAT_AT_LEAST: Final = 0.001


def wants_stream(call: Call[Any, Any]) -> bool:
    """Whether the caller wants to be told what comes, rather than what there is."""
    return EVENT_STREAM in call.request.headers.get("accept", "")


async def follow(
    call: Call[Any, Any], news: Callable[[], Awaitable[bytes | None]]
) -> AsyncGenerator[bytes]:
    """Yield what *news* brings, and a heartbeat where it brings nothing for long.

    It ends where *news* returns None, after as long as a stream may last, and where
    something cannot be had any more: the client comes back and is told why.
    """
    options = call.options
    pause_s = max(_S_PER_BEAT_AT_LEAST, options.look_again.total_seconds())
    silent_s = 0.0
    with call.streams.one_more(call.principal.caller):
        deadline = anyio.current_time() + options.streams_for.total_seconds()
        yield HEARTBEAT  # the headers go out at once
        while anyio.current_time() < deadline:
            try:
                said = await news()
            except VoiceSessionError:
                return
            if said is None:
                return
            if said:
                yield said
                silent_s = 0.0
                continue
            await anyio.sleep(pause_s)
            silent_s += pause_s
            if silent_s >= options.heartbeat.total_seconds():
                yield HEARTBEAT
                silent_s = 0.0
