"""The journal of a session as it is written: server-sent events, each once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import httpx2
from pydantic import ValidationError

from ..core.backoff import Backoff
from ..core.errors import InvalidValue
from ..schemas.journal import Event
from ..schemas.requests import EventsQuery
from . import operations
from .connection import Connection
from .errors import Unreachable
from .patience import Patience

__all__ = ("follow", "stretch")

_NO_MORE: Final = 204


def stretch(*, after: int, limit: int) -> EventsQuery:
    """Return the query for a stretch of a journal.

    Raises:
        InvalidValue: A number is out of its range.
    """
    try:
        return EventsQuery.model_validate({"after": after, "limit": limit})
    except ValidationError:
        raise InvalidValue("after, limit", (after, limit), "0 or more, 1 to 100") from None


async def follow(
    connection: Connection, session_id: str, *, after: int, backoff: Backoff
) -> AsyncGenerator[Event]:
    """Yield the events behind *after* and those to come; see `VoiceClient.follow`."""
    last_seq, patience = after, Patience(backoff)
    stretch(after=after, limit=1)  # the server does not refuse a bad Last-Event-ID
    while True:
        headers = {"accept": "text/event-stream", "last-event-id": str(last_seq)}
        try:
            async with connection.opened(
                operations.EVENTS, {"session_id": session_id}, headers=headers
            ) as response:
                if response.status_code == _NO_MORE:
                    return
                async for told in httpx2.EventSource(response):
                    event = _read(told.data)
                    if event.seq > last_seq:
                        last_seq = event.seq
                        patience.renew()
                        yield event
                # A server ends its streams from time to time, and says 204 at the end of all.
        except Unreachable as error:
            await patience.wait_after(error)


def _read(data: str) -> Event:
    try:
        return Event.model_validate_json(data)
    except ValidationError:
        raise Unreachable("the server sent something that is no event") from None
