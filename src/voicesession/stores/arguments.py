"""Arguments that no store takes, refused in the same words by all of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from ..core.errors import InvalidValue, SessionNotFound
from ..core.identity import SessionId, checked_id
from ..core.text import storable_text
from ..ports.storage import RunningStats, SessionQuery
from .changes import check_duration

__all__ = (
    "check_journal_range",
    "check_page",
    "check_query",
    "check_session_id",
    "check_stats",
    "check_user_id",
    "check_worker_id",
    "lease_end",
)

_LONGEST_LEASE: Final = timedelta(days=1)
_LARGEST_STORED: Final = 2**63 - 1


def check_session_id(session_id: SessionId) -> None:
    """Do nothing if a session may have this id.

    Raises:
        SessionNotFound: None can have it, so there is none.
    """
    try:
        checked_id("session_id", session_id)
    except InvalidValue:
        raise SessionNotFound(session_id) from None


def check_query(query: SessionQuery) -> None:
    """Do nothing if every text in *query* is one that a database can be asked for.

    Raises:
        InvalidValue: One holds a NUL character or a lone surrogate.
    """
    check_user_id(query.user_id)
    if query.mode is not None:
        storable_text(query.mode, "mode")
    for key, value in query.metadata.items():
        storable_text(key, "metadata")
        storable_text(value, "metadata")


def check_user_id(user_id: str | None) -> None:
    """Do nothing if a database can be asked for this user.

    Raises:
        InvalidValue: It holds a NUL character or a lone surrogate.
    """
    if user_id is not None:
        storable_text(user_id, "user_id")


def check_journal_range(after: int, limit: int) -> None:
    """Do nothing if a journal can be read from *after*, *limit* entries of it.

    Raises:
        InvalidValue: One of them is out of range.
    """
    if not 0 <= after <= _LARGEST_STORED:
        raise InvalidValue("after", after, "a seq, or 0")
    check_page(limit)


def check_page(limit: int) -> None:
    """Do nothing if a page may hold *limit* rows.

    A negative limit would mean "everything" to some databases, and "nothing" to others.

    Raises:
        InvalidValue: It is less than one.
    """
    if not 1 <= limit <= _LARGEST_STORED:
        raise InvalidValue("limit", limit, "1 or more")


def check_worker_id(worker_id: str) -> None:
    """Do nothing if a worker may have this name.

    Raises:
        InvalidValue: It is empty, or no store could keep it.
    """
    if not worker_id:
        raise InvalidValue("worker_id", worker_id, "a name")
    storable_text(worker_id, "worker_id")


def lease_end(now: datetime, duration: timedelta) -> datetime:
    """Return when a lease of *duration* that begins *now* ends.

    Raises:
        InvalidValue: It lasts no time at all, or longer than a day: whoever holds one
            renews it every few seconds.
    """
    if not timedelta() < duration <= _LONGEST_LEASE:
        raise InvalidValue("duration", duration, "more than nothing, and at most a day")
    return now + duration


def check_stats(stats: Mapping[SessionId, RunningStats]) -> None:
    """Do nothing if all of *stats* can be stored.

    Raises:
        InvalidValue: Some cannot, so none are written.
    """
    for counted in stats.values():
        check_duration("audio_duration_us", counted.audio_duration_us)
        check_duration("audio_used_us", counted.audio_used_us)
        storable_text(counted.transcript_partial or "", "transcript_partial")
        for name in ("audio_chunks_received", "audio_chunks_processed"):
            if not 0 <= getattr(counted, name) <= _LARGEST_STORED:
                raise InvalidValue(name, getattr(counted, name), "a count")
