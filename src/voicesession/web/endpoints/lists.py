"""``GET …``: a page of sessions, or a stream that says when to look again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from ...ports.storage import Page
from ...runtime.parameters import SessionFilters
from ...schemas.records import pagination_document, row_document
from ...schemas.requests import ListQuery, Nothing
from ..access import user_meant
from ..call import Answer, Call, json_answer
from ..streams import EVENT_STREAM, event_bytes
from .following import follow, wants_stream

__all__ = ("find",)

_NAMES: Final = ("state", "status", "mode", "since", "until", "limit", "cursor", "offset", "order")


async def find(call: Call[ListQuery, Nothing]) -> Answer:
    """Return sessions, the newest first; with ``Accept: text/event-stream``, a stream."""
    filters = _filters(call)
    page = await call.voice.find(**filters)
    if wants_stream(call):
        call.streams.check(call.principal.caller)
        return Answer(content=_look_again(call, filters), media_type=EVENT_STREAM)
    return json_answer(
        {
            "sessions": [row_document(session) for session in page.sessions],
            "pagination": pagination_document(call.query.limit, page.next_cursor),
        }
    )


def _filters(call: Call[ListQuery, Nothing]) -> SessionFilters:
    given = {name: value for name in _NAMES if (value := getattr(call.query, name)) is not None}
    if (user_id := user_meant(call, call.query.user_id)) is not None:
        given["user_id"] = user_id
    filters: SessionFilters = {}
    filters.update(given)  # type: ignore[typeddict-item]  # the names are those of the query
    return filters


async def _look_again(
    call: Call[ListQuery, Nothing], filters: SessionFilters
) -> AsyncGenerator[bytes]:
    """Say that the page has changed, whenever it has; not how: the client asks for it."""
    seen: object = None

    async def news() -> bytes:
        nonlocal seen
        before, seen = seen, _versions(await call.voice.find(**filters))
        return b"" if seen == before else event_bytes("look_again", {})

    async for said in follow(call, news):
        yield said


def _versions(page: Page) -> tuple[tuple[str, int], ...]:
    return tuple((session.id, session.seq) for session in page.sessions)
