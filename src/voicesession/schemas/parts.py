"""What messages are made of: the values that several of them share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ..core.audio import MAX_RATE_HZ, MIN_RATE_HZ

__all__ = (
    "CLOSE_CODES",
    "EndReasonName",
    "PauseReasonName",
    "Seconds",
    "SessionConfiguration",
    "StateName",
    "Told",
    "Totals",
    "TurnName",
    "UtteranceModel",
    "WordModel",
)

Seconds: TypeAlias = Annotated[float, Field(ge=0, description="Media time, in seconds.")]
StateName: TypeAlias = Literal["IDLE", "CONNECTING", "LIVE", "PAUSED", "ENDED"]
TurnName: TypeAlias = Literal["initial", "listening", "processing", "speaking", "away", "ended"]
PauseReasonName: TypeAlias = Literal[
    "user", "budget_exhausted", "disconnected", "limit_reached", "worker_lost", "shutdown"
]
EndReasonName: TypeAlias = Literal[
    "completed",
    "cancelled",
    "expired",
    "limit_reached",
    "disconnected",
    "worker_lost",
    "error",
    "connect_timeout",
]


CLOSE_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1000: "ended",
        1008: "not found or not authorised",
        1009: "too big",
        1011: "internal",
        1012: "draining",
        4400: "bad message or parameter",
        4402: "budget (cannot start)",
        4408: "too slow",
        4409: "taken over",
        4410: "expired",
        4429: "quota",
    }
)
"""Why the server closes a connection."""


class Told(BaseModel):
    """Said by the server: a newer one may say more."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")


class WordModel(Told):
    """A word and when it was said."""

    text: str
    start: Seconds
    end: Seconds
    confidence: float | None = None


class UtteranceModel(Told):
    """An utterance, as it stands in the transcript."""

    id: str
    speaker: Literal["user", "agent"]
    start: Seconds
    end: Seconds
    text: str
    confidence: float | None = None
    words: tuple[WordModel, ...] = ()
    generated_text: str | None = Field(
        default=None, description="Of an agent: what it was going to say."
    )
    spoken_text: str | None = Field(default=None, description="Of an agent: what was heard of it.")
    interrupted: bool | None = None


class SessionConfiguration(Told):
    """What holds for the session and for this connection."""

    mode: str
    language: str
    model: str
    encoding: Literal["pcm_s16le", "pcm_f32le", "mulaw", "alaw"]
    sample_rate: int = Field(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)
    channels: Literal[1, 2]
    store_audio: bool
    store_transcript: bool
    enhance_on_end: bool
    retention_days: int
    interim_results: bool
    word_timestamps: bool
    playout: bool = Field(description="Whether the client reports what it has played.")


class Totals(Told):
    """What a session came to."""

    audio_duration_seconds: float
    utterance_count: int
    word_count: int
    message_count: int
