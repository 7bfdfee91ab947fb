"""A session as JSON: the names of the record, for programs that read what commands print."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from attrs import fields

from ..core.session import DailyRemaining, Session
from ..core.transcript import SessionTranscript, Transcript, transcript_document

if TYPE_CHECKING:
    from ..ports.storage import Page

__all__ = ("page_document", "session_and_words", "session_document")

_US_PER_MINUTE: Final = 60_000_000
_KEPT_BACK: Final = frozenset({"key_hash", "client_ip"})
"""Nobody reads these from a screen."""
_TOLD_OTHERWISE: Final = frozenset(
    {"pauses", "active_us", "audio_duration_us", "audio_used_us", "daily_budget_remaining"}
    | {"metadata_json", "state_since", "last_activity_at"}
)


def session_document(session: Session) -> dict[str, Any]:
    """Return *session* as JSON; instants in ISO 8601, durations in the unit of their name."""
    document: dict[str, Any] = {
        attribute.name: _plain(getattr(session, attribute.name))
        for attribute in fields(Session)
        if attribute.name not in _KEPT_BACK | _TOLD_OTHERWISE
    }
    return document | {
        "status": session.status,
        "pause_reasons": sorted(session.pause_reasons),
        "audio_duration_seconds": session.audio_duration_seconds,
        "audio_minutes_used": session.audio_minutes_used,
        "daily_budget_remaining": _remaining(session.daily_budget_remaining),
        "metadata": session.metadata,
    }


def page_document(page: Page, limit: int) -> dict[str, Any]:
    """Return a page of sessions as JSON."""
    return {
        "sessions": [session_document(session) for session in page.sessions],
        "pagination": {
            "limit": limit,
            "next_cursor": page.next_cursor,
            "has_more": page.next_cursor is not None,
        },
    }


def session_and_words(session: Session, transcript: Transcript) -> dict[str, Any]:
    """Return *session* and what was said in it as JSON."""
    words = SessionTranscript(
        session_id=session.id,
        language=session.language,
        duration_us=session.audio_duration_us,
        transcript=transcript,
    )
    return {"session": session_document(session), "transcript": transcript_document(words)}


def _plain(value: Any) -> Any:
    # Tuples of texts, which JSON takes for lists, and what it knows anyway.
    return value.isoformat() if isinstance(value, datetime) else value


def _remaining(budget: DailyRemaining | None) -> dict[str, Any] | None:
    if budget is None:
        return None
    minutes = None if budget.audio_us is None else budget.audio_us / _US_PER_MINUTE
    return {
        "audioMin": minutes,
        "videoTokens": budget.video_tokens,
        "screenTokens": budget.screen_tokens,
    }
