"""``…/pause``, ``…/resume`` and ``…/end``: what one may tell a session, wherever it runs."""

from __future__ import annotations

from ...schemas.requests import Command, EndCommand, Query
from ..access import visible
from ..call import Answer, Call
from .answers import session_answer

__all__ = ("end", "pause", "resume")


async def pause(call: Call[Query, Command]) -> Answer:
    """Make a session stand still; whoever runs it follows within 5 s."""
    session = await visible(call)
    return await session_answer(call, await call.voice.pause(session.id))


async def resume(call: Call[Query, Command]) -> Answer:
    """Take back a pause of the user's, or of a budget that has room again."""
    session = await visible(call)
    return await session_answer(call, await call.voice.resume(session.id))


async def end(call: Call[Query, EndCommand]) -> Answer:
    """End a session; one that is over stays as it is."""
    session = await visible(call)
    return await session_answer(call, await call.voice.end(session.id, reason=call.body.reason))
