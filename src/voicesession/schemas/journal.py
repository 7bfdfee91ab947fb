"""The journal of a session on the wire: what happened, in order, and never a word of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict, Field

from ..core.journal import JournalEntry, encode
from .parts import Told

__all__ = ("Event", "Events", "event_document", "events_document")

_ENCODING: Final = ("v", "at")


class Event(Told):
    """One event; it has further fields, by its type."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"seq": 1, "type": "connect_requested", "at": "2026-11-21T09:00:00+00:00"}]
        },
    )

    seq: int = Field(ge=1, description="Its place, from 1 and without holes.")
    type: str
    at: datetime


class Events(Told):
    """A stretch of the journal of a session."""

    session_id: str
    events: list[Event]
    last_seq: int = Field(ge=0, description="Ask for what comes `after` it.")
    has_more: bool


def event_document(entry: JournalEntry) -> dict[str, Any]:
    """Return *entry* as it is told: its instant in ISO 8601, its fields by their own names."""
    fields = {name: value for name, value in encode(entry).items() if name not in _ENCODING}
    return {**fields, "at": entry.event.at.isoformat()}


def events_document(
    session_id: str, entries: Sequence[JournalEntry], *, after: int, limit: int
) -> dict[str, Any]:
    """Return the stretch behind *after* that *entries* are; it was asked for *limit* of them."""
    return {
        "session_id": session_id,
        "events": [event_document(entry) for entry in entries],
        "last_seq": entries[-1].seq if entries else after,
        "has_more": len(entries) == limit,
    }
