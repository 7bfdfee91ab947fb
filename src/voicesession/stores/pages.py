"""
Pages by keyset: a cursor names the row beside which a page begins, not how many to skip.

So a page deep down costs no more than the first one, and rows that come or go elsewhere
never make a reader miss a row or see one twice.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Final

from attrs import astuple, frozen

from ..core.errors import InvalidValue
from ..core.instants import to_us
from ..core.session import Session
from ..ports.storage import Order, Page, SessionQuery

__all__ = ("Position", "is_ascending", "listed_us", "page_of", "position_of")

_DIGEST_BYTES: Final = 6
_ALLOWED: Final = "a cursor from a page of the same list"


@frozen
class Position:
    """A place in a list, beside one session.

    Attributes:
        backwards: The page lies before the session, seen in the order of the list.
    """

    order: Order
    listed_us: int
    session_id: str
    backwards: bool

    @property
    def ascending(self) -> bool:
        """Whether the rows of the page are to be read from the oldest on."""
        return (self.order is Order.OLDEST_FIRST) is not self.backwards


def is_ascending(query: SessionQuery, position: Position | None) -> bool:
    """Return whether the page of *query* is to be read from the oldest row on."""
    return query.order is Order.OLDEST_FIRST if position is None else position.ascending


def listed_us(session: Session) -> int:
    """Return the instant by which a session is listed, in microseconds since 1970."""
    return to_us(session.started_at or session.created_at)


def position_of(query: SessionQuery) -> Position | None:
    """Return where the page of *query* begins; None for the beginning of the list.

    Raises:
        InvalidValue: The cursor is none of ours, or belongs to the other order.
    """
    if query.cursor is None:
        return None
    if query.offset:
        raise InvalidValue("offset", query.offset, "0 together with a cursor")
    try:
        position = _decoded(query.cursor)
    except (ValueError, TypeError):
        raise InvalidValue("cursor", query.cursor, _ALLOWED) from None
    if position.order is not query.order:
        raise InvalidValue("cursor", query.cursor, f"{_ALLOWED}, not in the order {position.order}")
    return position


def page_of(query: SessionQuery, position: Position | None, found: Sequence[Session]) -> Page:
    """Return the page of *found*: up to one session more than its limit, in reading order."""
    there_is_more = len(found) > query.limit
    sessions = tuple(found[: query.limit])
    backwards = position is not None and position.backwards
    if backwards:
        sessions = sessions[::-1]
    came_from_before = (position is not None and not backwards) or query.offset > 0
    return Page(
        sessions=sessions,
        next_cursor=_cursor(query, sessions, at_end=True) if backwards or there_is_more else None,
        previous_cursor=(
            _cursor(query, sessions, at_end=False)
            if (there_is_more if backwards else came_from_before)
            else None
        ),
    )


def _cursor(query: SessionQuery, sessions: Sequence[Session], *, at_end: bool) -> str | None:
    if not sessions:
        return None
    beside = sessions[-1 if at_end else 0]
    return _encoded(Position(query.order, listed_us(beside), beside.id, backwards=not at_end))


def _encoded(position: Position) -> str:
    place = json.dumps(astuple(position), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(place) + place).decode().rstrip("=")


def _decoded(cursor: str) -> Position:
    padded = cursor + "=" * (-len(cursor) % 4)
    stored = base64.b64decode(padded.encode(), altchars=b"-_", validate=True)
    digest, place = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    if digest != _digest(place):
        raise ValueError("not as it was written")
    order, listed, session_id, backwards = json.loads(place)
    position = Position(Order(order), listed, session_id, backwards)
    if _encoded(position) != cursor:
        raise ValueError("the last character holds bits that mean nothing")
    return position


def _digest(place: bytes) -> bytes:
    # Against slips, not against forgers: a cursor opens nothing that its query does not.
    return hashlib.blake2b(place, digest_size=_DIGEST_BYTES).digest()
