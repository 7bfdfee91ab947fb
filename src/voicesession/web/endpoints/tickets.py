"""``POST …/{id}/ticket``: a way in for a WebSocket that cannot send a header."""

from __future__ import annotations

from typing import Any

from ...core.errors import SessionExpired, SessionNotActive
from ...core.identity import shortened
from ...core.states import EndReason, SessionState
from ...schemas.requests import Query
from ..access import visible
from ..call import Answer, Call, json_answer
from ..tickets import Kind

__all__ = ("ticket",)


async def ticket(call: Call[Query, Any]) -> Answer:
    """Return a ticket for one connection to this session by WebSocket, good for half a minute.

    A session that has begun wants ``attach`` besides; the token for that comes along.
    """
    session = await visible(call)
    if session.state is SessionState.ENDED:
        told = f"session …{shortened(session.id)} is over"
        expired = session.end_reason is EndReason.EXPIRED
        raise SessionExpired(told) if expired else SessionNotActive(told)
    url = f"{call.request.origin.websocket_url}{call.request.mount}/{session.id}/stream"
    issued = call.passes.issue(Kind.TICKET, session)
    answer = {
        "ticket": issued,
        "websocket_url": f"{url}?ticket={issued}",
        "resume_token": call.passes.issue(Kind.RESUME, session),
    }
    return json_answer(answer)
