"""Between a conversation and the line on which its caller is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress

import anyio

from ..core.errors import InvalidState, SessionExpired, SessionNotActive
from ..ports.transport import Transport
from .happenings import ReplyCleared
from .live import VoiceSession

__all__ = ("carried", "carry")


async def carry(call: VoiceSession, transport: Transport) -> None:
    """Carry audio between *call* and *transport*, both ways, until one of them is over.

    Neither is ended or closed by that.
    """
    cleared: set[int] = set()

    def follow(happening: object) -> None:
        if isinstance(happening, ReplyCleared):
            cleared.add(happening.reply_id)
            transport.clear()

    async def speak() -> None:
        with suppress(SessionNotActive):
            async with aclosing(call.audio()) as pieces:
                async for piece in pieces:
                    await transport.send(piece.pcm)
                    if piece.reply_id not in cleared:  # while there was no room for it
                        call.played(piece)
        tasks.cancel_scope.cancel()

    stop_following = call.subscribe(follow)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak)
            with suppress(SessionNotActive, SessionExpired):  # it was over before they were
                async for pcm in transport:
                    await call.process_audio(pcm)
            tasks.cancel_scope.cancel()
    finally:
        stop_following()


@asynccontextmanager
async def carried(call: VoiceSession, transport: Transport) -> AsyncGenerator[None]:
    """Carry audio for the length of the block; a caller who hangs up may come back."""

    async def carry_and_tell() -> None:
        await carry(call, transport)
        with suppress(InvalidState):  # it is over, or waits for its caller already
            await call.handle.disconnected()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(carry_and_tell)
        yield
        tasks.cancel_scope.cancel()
