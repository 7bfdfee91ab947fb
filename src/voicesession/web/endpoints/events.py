"""``GET …/events``: the journal of a session, page by page or as it is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from ...core.session import Session
from ...core.states import SessionState
from ...schemas.journal import event_document, events_document
from ...schemas.requests import EventsQuery, Nothing
from ..access import visible
from ..call import Answer, Call, json_answer
from ..streams import EVENT_STREAM, event_bytes
from .following import follow, wants_stream

__all__ = ("events",)

_AT_ONCE: Final = 100
_LONGEST_ID: Final = 18


async def events(call: Call[EventsQuery, Nothing]) -> Answer:
    """Return what happened to a session; with ``Accept: text/event-stream``, also what happens.

    A stream goes on behind ``Last-Event-ID``. It ends when the session is over and all has
    been said; a client that comes back then is told by a 204 that there is no more.
    """
    session = await visible(call)
    if wants_stream(call):
        return await _stream(call, session)
    query = call.query
    entries = await call.voice.journal(session.id, after=query.after, limit=query.limit)
    return json_answer(events_document(session.id, entries, after=query.after, limit=query.limit))


async def _stream(call: Call[EventsQuery, Nothing], session: Session) -> Answer:
    last = call.request.headers.get("last-event-id", "").strip()
    came_back = last.isascii() and last.isdecimal() and len(last) <= _LONGEST_ID
    after = int(last) if came_back else call.query.after
    is_over = session.state is SessionState.ENDED
    if came_back and is_over and after >= session.seq:
        return Answer(status=204, media_type="")
    call.streams.check(call.principal.caller)
    return Answer(content=_told(call, session.id, after), media_type=EVENT_STREAM)


async def _told(
    call: Call[EventsQuery, Nothing], session_id: str, after: int
) -> AsyncGenerator[bytes]:
    voice, last_seq = call.voice, after

    async def news() -> bytes | None:
        nonlocal last_seq
        entries = await voice.journal(session_id, after=last_seq, limit=_AT_ONCE)
        if not entries:
            session = await voice.get(session_id)
            is_over = session.state is SessionState.ENDED and last_seq >= session.seq
            return None if is_over else b""
        last_seq = entries[-1].seq
        return b"".join(
            event_bytes(entry.type, event_document(entry), event_id=entry.seq) for entry in entries
        )

    async for said in follow(call, news):
        yield said
