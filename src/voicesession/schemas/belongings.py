"""What else a session has: its stats, its tasks, and its words as a document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from ..core.identity import shortened
from ..core.instants import duration_us
from ..core.session import Session
from ..core.states import SessionStatus
from ..core.tasks import Task, TaskState
from ..core.utterance import Speaker
from .parts import Told

__all__ = (
    "SaidUtterance",
    "SaidWord",
    "SessionStats",
    "SessionTask",
    "TranscriptDocument",
    "stats_document",
    "task_document",
)

_US_PER_S = 1_000_000


class SessionStats(Told):
    """How a session does; nothing in it says whose it is."""

    session_id_truncated: str = Field(description="The last 8 characters.", examples=["c3d4e5f6"])
    status: SessionStatus
    age_seconds: float = Field(ge=0, description="Since it was created, until it ended.")
    message_count: int = Field(ge=0)
    pending_tasks_count: int = Field(ge=0)
    audio_chunks_received: int = Field(ge=0)
    audio_chunks_processed: int = Field(ge=0)
    device_type: str | None


class SessionTask(Told):
    """Something that is done for a session in the background."""

    id: str
    session_id: str
    type: str = Field(examples=["enhancement"])
    state: TaskState
    created_at: datetime
    updated_at: datetime
    result_available: bool
    error_message: str | None = Field(description="Why the last attempt failed.")


class SaidWord(Told):
    """One recognised word, in seconds of media time."""

    text: str
    start: float = Field(ge=0)
    end: float = Field(ge=0)
    confidence: float | None = Field(None, ge=0, le=1)


class SaidUtterance(Told):
    """One stretch of speech by one speaker, in seconds of media time."""

    id: str
    speaker: Speaker
    start: float = Field(ge=0)
    end: float = Field(ge=0)
    text: str = Field(description="For the agent: what was heard.")
    confidence: float | None = Field(None, ge=0, le=1)
    generated_text: str | None = Field(None, description="All that was generated, heard or not.")
    spoken_text: str | None = Field(None, description="What was played.")
    interrupted: bool = False
    words: list[SaidWord]


class TranscriptDocument(Told):
    """The words of a session, as in its ``transcript.json``."""

    session_id: str
    language: str
    duration: float = Field(ge=0, description="Seconds of media time.")
    text: str
    partial: bool
    utterances: list[SaidUtterance]


def stats_document(session: Session, *, pending_tasks: int, now: datetime) -> dict[str, Any]:
    """Return how *session* does at the instant *now*."""
    age_us = duration_us((session.ended_at or now) - session.created_at)
    return {
        "session_id_truncated": shortened(session.id),
        "status": session.status,
        "age_seconds": max(0, age_us) / _US_PER_S,
        "message_count": session.message_count,
        "pending_tasks_count": pending_tasks,
        "audio_chunks_received": session.audio_chunks_received,
        "audio_chunks_processed": session.audio_chunks_processed,
        "device_type": session.device_type,
    }


def task_document(task: Task) -> dict[str, Any]:
    """Return *task* as it is told; where its result lies, and what it was given, is not."""
    return {
        "id": task.id,
        "session_id": task.session_id,
        "type": task.type,
        "state": task.state,
        "created_at": task.created_at.isoformat(),
        "updated_at": task.updated_at.isoformat(),
        "result_available": task.result_available,
        "error_message": task.error_message,
    }
