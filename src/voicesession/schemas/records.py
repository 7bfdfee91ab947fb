"""
What the server answers: the record of a session, and what belongs to it.

The functions write the documents, straight from the values of the core; the models say what
a document holds, for schemas, docs and clients. A test holds each document to its model, and to
nothing besides; whoever reads one passes over what a newer server adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final, get_args

from pydantic import Field
from pydantic_core import from_json

from ..core.audio import Encoding
from ..core.meters import US_PER_MINUTE
from ..core.session import DailyRemaining, Session
from ..core.states import EndReason, PauseReason, SessionState, SessionStatus
from ..core.tasks import TaskState
from .parts import Told

__all__ = (
    "Deleted",
    "Enhancement",
    "Links",
    "Pagination",
    "RemainingToday",
    "SessionAnswer",
    "SessionPage",
    "SessionRecord",
    "SessionRow",
    "pagination_document",
    "row_document",
    "session_document",
)

_EXAMPLE_ID: Final = "sess_0192f0a1b2c37d4e8f90a1b2c3d4e5f6"


class RemainingToday(Told):
    """What is left of the user's day; null where there is no limit."""

    audioMin: float | None = Field(None, ge=0)  # noqa: N815  # the name on the wire
    videoTokens: int | None = Field(None, ge=0)  # noqa: N815
    screenTokens: int | None = Field(None, ge=0)  # noqa: N815


class Links(Told):
    """Where the results are, once there are some."""

    audio: str | None = None
    transcript: str | None = None


class Enhancement(Told):
    """The task that ``enhance_on_end`` has committed."""

    job_id: str
    state: TaskState


class SessionRow(Told):
    """A session in a list: what one sees at a glance, without its words."""

    id: str = Field(examples=[_EXAMPLE_ID])
    tenant_id: str = Field(examples=["default"])
    user_id: str | None = Field(examples=["ada"])
    room_name: str | None
    state: SessionState
    status: SessionStatus
    end_reason: EndReason | None
    mode: str = Field(examples=["LS1A"])
    language: str = Field(examples=["auto"])
    model: str = Field(examples=["fast"])
    audio_duration_seconds: float = Field(ge=0, description="Media time.")
    utterance_count: int = Field(ge=0, description="Utterances of the user.")
    word_count: int = Field(ge=0, description="Words of the user.")
    previous_session_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class SessionRecord(SessionRow):
    """A session, with all that is known of it."""

    created_by: str | None
    live_at: datetime | None
    updated_at: datetime
    pause_reasons: list[PauseReason]
    error: str | None
    seq: int = Field(ge=0, description="Counts what has happened; also the version, see ETag.")
    deadline_at: datetime | None
    encoding: Encoding
    sample_rate: int
    channels: int
    store_audio: bool
    store_transcript: bool
    enhance_on_end: bool
    retention_days: int = Field(description="0 keeps nothing, -1 keeps for good.")
    device_type: str | None
    client_version: str | None
    recording_consent: bool | None = Field(description="null: not asked; false: refused.")
    consent_by: str | None
    consent_wording: str | None
    consent_at: datetime | None
    secrets_blurred: list[str]
    transcript_partial: str | None
    transcript_final: str | None
    audio_uri: str | None
    audio_partial: bool = Field(description="Some audio is known to be missing.")
    transcript_uri: str | None
    enhancement_job_id: str | None
    legal_hold: bool
    message_count: int = Field(ge=0)
    audio_chunks_received: int = Field(ge=0)
    audio_chunks_processed: int = Field(ge=0)
    audio_minutes_used: float = Field(ge=0)
    daily_budget_remaining: RemainingToday | None
    session_template_id: str | None
    modality_profile: str | None
    enabled_panels: list[str] | None
    token_expiry: datetime | None
    worker_id: str | None
    epoch: int = Field(ge=0)
    lease_expires_at: datetime | None
    client_ip: str | None
    metadata: dict[str, Any]
    websocket_url: str = Field(examples=[f"ws://localhost:8000/v1/sessions/{_EXAMPLE_ID}/stream"])
    links: Links
    enhancement: Enhancement | None = None


class SessionAnswer(Told):
    """One session."""

    session: SessionRecord


class Pagination(Told):
    """Where a page stands in its list."""

    limit: int = Field(examples=[50])
    next_cursor: str | None = Field(description="For the page behind this one.")
    has_more: bool


class SessionPage(Told):
    """A page of sessions."""

    sessions: list[SessionRow]
    pagination: Pagination


class Deleted(Told):
    """A session is gone, with everything that belonged to it."""

    deleted: bool = True
    session_id: str = Field(examples=[_EXAMPLE_ID])


def _reader(names: Sequence[str]) -> Callable[[Session], dict[str, Any]]:
    """Return what reads these fields of a session, its instants as ISO 8601 has them."""
    values = attrgetter(*names)
    kinds = {name: SessionRecord.model_fields[name].annotation for name in names}
    instants = [name for name in names if _is_a(datetime, kinds[name])]
    choices = [name for name in names if _is_a(StrEnum, kinds[name])]

    def read(session: Session) -> dict[str, Any]:
        document = dict(zip(names, values(session), strict=True))
        for name in instants:
            if (instant := document[name]) is not None:
                document[name] = instant.isoformat()
        for name in choices:  # a member takes an encoder longer than all the rest of the record
            if (choice := document[name]) is not None:
                document[name] = str(choice)
        return document

    return read


def _is_a(kind: type, annotation: Any) -> bool:
    """Whether a field holds a *kind*, or nothing."""
    return any(
        isinstance(one, type) and issubclass(one, kind)
        for one in (annotation, *get_args(annotation))
    )


_ELSEWHERE: Final = frozenset({"websocket_url", "links", "enhancement"})
"""What the record does not know: it depends on who asks, and on the tasks."""
_BY_HAND: Final = frozenset(
    {"pause_reasons", "secrets_blurred", "enabled_panels", "daily_budget_remaining", "metadata"}
)
_record_of: Final = _reader(
    [name for name in SessionRecord.model_fields if name not in _ELSEWHERE | _BY_HAND]
)
_row_of: Final = _reader([*SessionRow.model_fields])


def session_document(session: Session) -> dict[str, Any]:
    """Return the record of *session*, without what depends on who asks."""
    document = _record_of(session)
    panels = session.enabled_panels
    document["pause_reasons"] = sorted(session.pause_reasons)
    document["secrets_blurred"] = [*session.secrets_blurred]
    document["enabled_panels"] = None if panels is None else [*panels]
    document["daily_budget_remaining"] = _remaining(session.daily_budget_remaining)
    document["metadata"] = from_json(session.metadata_json)
    return document


def row_document(session: Session) -> dict[str, Any]:
    """Return *session* as a row of a list."""
    return _row_of(session)


def pagination_document(limit: int, next_cursor: str | None) -> dict[str, Any]:
    """Return where a page stands in its list."""
    return {"limit": limit, "next_cursor": next_cursor, "has_more": next_cursor is not None}


def _remaining(left: DailyRemaining | None) -> dict[str, Any] | None:
    if left is None:
        return None
    return {
        "audioMin": None if left.audio_us is None else left.audio_us / US_PER_MINUTE,
        "videoTokens": left.video_tokens,
        "screenTokens": left.screen_tokens,
    }
