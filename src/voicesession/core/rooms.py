"""
Rooms that another server runs for our sessions: their names, and what its news means.

That server tells who comes and goes over HTTP: late, twice, or in another order than it
happened. What decides is when a connection was made, by the clock of that server, which comes
with all news of it. TransportReady is stamped with it, so the journal of the session knows the
last connection that counted; news of an older one changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from .errors import InvalidValue
from .events import EndRequested, SessionEvent, TransportLost, TransportReady
from .instants import as_utc
from .journal import JournalEntry
from .life import is_legal
from .session import Session
from .states import EndReason, PauseReason, SessionState

__all__ = (
    "ROOM_NAME_BYTES",
    "caller_joined",
    "caller_left",
    "caller_of",
    "generate_room_name",
    "last_connection",
    "room_closed",
    "second_in_name",
)

ROOM_NAME_BYTES: Final = 3
"""What a new name takes of randomness."""

_NAME: Final = re.compile(r"session_([0-9]{8}_[0-9]{6})_[0-9a-f]{6}")


def generate_room_name(at: datetime, randomness: bytes) -> str:
    """Return ``session_{YYYYMMDD_HHMMSS}_{6 hex}``, in UTC.

    Three bytes are not enough to be alone with it: the store tells if the name is taken.

    Args:
        randomness: ``ROOM_NAME_BYTES`` bytes.

    Raises:
        InvalidValue: They are more or fewer, or *at* has no time zone.
    """
    if len(randomness) != ROOM_NAME_BYTES:
        raise InvalidValue("randomness", f"{len(randomness)} bytes", f"{ROOM_NAME_BYTES} bytes")
    at = as_utc(at)
    return f"session_{at.year:04}{at:%m%d_%H%M%S}_{randomness.hex()}"


def second_in_name(room_name: str) -> datetime | None:
    """Return the second in which `generate_room_name` made this name; None if it did not."""
    found = _NAME.fullmatch(room_name)
    if found is None:
        return None
    try:
        return datetime.strptime(f"{found[1]}+0000", "%Y%m%d_%H%M%S%z")
    except ValueError:
        return None


def caller_of(session: Session) -> str:
    """Return the identity of the caller in the session's room. Anybody else is a guest."""
    return session.user_id or session.id


def last_connection(journal: Iterable[JournalEntry]) -> datetime | None:
    """Return when the last connection that counted was made; None if there was none."""
    made = (entry.event.at for entry in journal if isinstance(entry.event, TransportReady))
    return max(made, default=None)


def caller_joined(
    session: Session, last: datetime | None, *, joined_at: datetime
) -> tuple[SessionEvent, ...]:
    """Return what it means that the caller's connection of *joined_at* was made.

    Nothing, if it is old news. A caller who seems to be there already has come back before
    the news that they had gone.

    Args:
        last: Of the session's journal: `last_connection`.
    """
    if last is not None and joined_at <= last:
        return ()
    ready = TransportReady(at=joined_at)
    if _is_there(session):
        return TransportLost(at=joined_at), ready
    return (ready,) if is_legal(session, ready) else ()


def caller_left(
    session: Session, last: datetime | None, *, joined_at: datetime, left_at: datetime
) -> tuple[SessionEvent, ...]:
    """Return what it means that the caller's connection of *joined_at* was lost.

    Nothing, if a newer one was made since. If nobody has told of the connection before, it
    was made and lost.

    Args:
        left_at: It may be cut off to the second.
    """
    left_at = max(joined_at, left_at)
    if last is not None and left_at < last:
        return ()
    came = caller_joined(session, last, joined_at=joined_at)
    return (*came, TransportLost(at=left_at)) if came or _is_there(session) else ()


def room_closed(
    session: Session, last: datetime | None, *, closed_at: datetime
) -> EndRequested | None:
    """Return what it means that the room is gone; None if the caller has come to it since.

    The session is over: completed if the caller was there, disconnected if they had gone and
    did not come back, and a connect timeout if they had never come.

    Args:
        closed_at: It may be cut off to the second.
    """
    if session.state is SessionState.ENDED or (last is not None and closed_at < last):
        return None
    if session.live_at is None:
        reason = EndReason.CONNECT_TIMEOUT
    elif PauseReason.DISCONNECTED in session.pause_reasons:
        reason = EndReason.DISCONNECTED
    else:
        reason = EndReason.COMPLETED
    return EndRequested(at=closed_at, reason=reason)


def _is_there(session: Session) -> bool:
    if session.state is SessionState.PAUSED:
        return PauseReason.DISCONNECTED not in session.pause_reasons
    return session.state is SessionState.LIVE
