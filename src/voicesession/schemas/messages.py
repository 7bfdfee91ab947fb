"""
Every message of the WebSocket, both ways, in one file.

Server, clients, schema and docs are made from these models, or held equal to them. Rules:

* A text frame is one JSON object whose ``type`` names its model; a binary frame is audio.
* Messages of the server all carry ``at``. The durable ones carry ``seq``, their place in the
  journal of the session, and each of those comes once: it is the last ``seq`` that a client
  tells when it comes back.
* A client ignores what it does not know. The server refuses it: a typing error must not pass
  for a wish that was granted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .parts import (
    CLOSE_CODES,
    EndReasonName,
    PauseReasonName,
    Seconds,
    SessionConfiguration,
    StateName,
    Told,
    Totals,
    TurnName,
    UtteranceModel,
)

__all__ = (
    "CLIENT_MESSAGE",
    "CLOSE_CODES",
    "SERVER_MESSAGE",
    "Ack",
    "Attach",
    "BudgetWarning",
    "Clear",
    "ClientMessage",
    "Config",
    "Consent",
    "End",
    "ErrorOccurred",
    "Flush",
    "Interrupt",
    "Pause",
    "Playout",
    "RecorderDegraded",
    "ReplyBegin",
    "ReplyClear",
    "ReplyEnd",
    "Resume",
    "ServerMessage",
    "SessionBegin",
    "SessionEnd",
    "SessionPaused",
    "SessionResumed",
    "SessionStateChanged",
    "SessionTerminated",
    "Text",
    "TranscriptFinal",
    "TranscriptPartial",
    "TurnStateChanged",
    "VadSpeechEnd",
    "VadSpeechStart",
    "Warned",
    "json_schema",
)

_LONGEST_ID: Final = 128
_LONGEST_TEXT: Final = 8_000
_LONGEST_TOKEN: Final = 2_048
_MOST_SEQ: Final = (1 << 53) - 1
"""The largest integer that every JSON parser keeps exact."""

Seq: TypeAlias = Annotated[int, Field(ge=1, le=_MOST_SEQ)]


class _FromServer(Told):
    at: datetime = Field(description="When it was sent, UTC.")


class _Durable(_FromServer):
    seq: Seq = Field(description="Its place in the journal of the session.")


class SessionBegin(_FromServer):
    """The session is LIVE on this connection; the durable messages that were missed follow."""

    type: Literal["session.begin"] = "session.begin"
    session_id: str
    config: SessionConfiguration
    resumed_from: str | None = Field(
        default=None, description="The session that this one continues."
    )
    state_restored: bool = Field(
        description="Nothing of the session was lost: false after an `attach` for which a reply "
        "was cut off, a turn was left without its answer, or a worker died."
    )
    resume_token: str = Field(description="For `attach`, should the connection break.", repr=False)
    last_seq: int = Field(ge=0, description="The last entry of the journal so far.")


class SessionStateChanged(_Durable):
    """The session has come to a state for which there is no message of its own."""

    type: Literal["session.state"] = "session.state"
    state: StateName


class SessionPaused(_Durable):
    """The session stands still, for these reasons; each has to be lifted by its own event."""

    type: Literal["session.paused"] = "session.paused"
    reasons: tuple[PauseReasonName, ...]


class SessionResumed(_Durable):
    """The last reason to stand still is gone: the session is LIVE again."""

    type: Literal["session.resumed"] = "session.resumed"


class SessionEnd(_Durable):
    """The session is over; all that was said is stored, and its files are made."""

    type: Literal["session.end"] = "session.end"
    session_id: str
    status: Literal["completed", "interrupted", "error"]
    end_reason: EndReasonName
    totals: Totals
    audio_uri: str | None = None
    transcript_uri: str | None = None


class SessionTerminated(_FromServer):
    """The connection is closed; the session may go on without it."""

    type: Literal["session.terminated"] = "session.terminated"
    reason: str
    recoverable: bool = Field(description="Whether to come back with `attach`.")


class TranscriptPartial(_FromServer):
    """What the user seems to be saying; the next one, or a final one, replaces it."""

    type: Literal["transcript.partial"] = "transcript.partial"
    text: str = Field(repr=False)
    start: Seconds
    end: Seconds


class TranscriptFinal(_Durable):
    """An utterance of either speaker. It is stored already: it will not change or get lost."""

    type: Literal["transcript.final"] = "transcript.final"
    utterance: UtteranceModel = Field(repr=False)


class VadSpeechStart(_FromServer):
    """The user's voice is on."""

    type: Literal["vad.speech_start"] = "vad.speech_start"
    timestamp: Seconds


class VadSpeechEnd(_FromServer):
    """The user's voice is off."""

    type: Literal["vad.speech_end"] = "vad.speech_end"
    timestamp: Seconds


class TurnStateChanged(_FromServer):
    """Somebody else has the floor now."""

    type: Literal["turn.state"] = "turn.state"
    state: TurnName


class ReplyBegin(_FromServer):
    """The binary frames from here to `reply.end` are the agent's voice: s16le, mono."""

    type: Literal["reply.begin"] = "reply.begin"
    reply_id: int
    sample_rate: int


class ReplyEnd(_FromServer):
    """The reply is over: all of it has been heard, or it was interrupted."""

    type: Literal["reply.end"] = "reply.end"
    reply_id: int
    interrupted: bool
    spoken_text: str = Field(repr=False, description="What was heard of it.")


class ReplyClear(_FromServer):
    """Barge-in: throw away what waits in your buffer to be played."""

    type: Literal["reply.clear"] = "reply.clear"
    reply_id: int


class BudgetWarning(_FromServer):
    """A limit that the session spends from has come to a higher level, or has nothing left."""

    type: Literal["budget.warning"] = "budget.warning"
    seq: Seq | None = Field(
        default=None,
        description="Its place in the journal of the session, if it was this one that used it up.",
    )
    meter: str
    scope: str
    utilization: float | None = Field(default=None, description="Of the limit, 1.0 is all of it.")
    remaining: int | None = Field(default=None, description="In units of the meter.")
    message: str


class RecorderDegraded(_FromServer):
    """Something is missing from the recording; the session goes on."""

    type: Literal["recorder.degraded"] = "recorder.degraded"
    reason: str


class Warned(_FromServer):
    """Something is not as it should be; the session goes on."""

    type: Literal["warning"] = "warning"
    code: str
    seq: Seq | None = Field(default=None, description="Where the warning is kept in the journal.")
    message: str | None = None


class ErrorOccurred(_FromServer):
    """Something that was asked for cannot be done, or has failed."""

    type: Literal["error"] = "error"
    code: str
    message: str
    retryable: bool


ServerMessage: TypeAlias = Annotated[
    SessionBegin
    | SessionStateChanged
    | SessionPaused
    | SessionResumed
    | SessionEnd
    | SessionTerminated
    | TranscriptPartial
    | TranscriptFinal
    | VadSpeechStart
    | VadSpeechEnd
    | TurnStateChanged
    | ReplyBegin
    | ReplyEnd
    | ReplyClear
    | BudgetWarning
    | RecorderDegraded
    | Warned
    | ErrorOccurred,
    Field(discriminator="type"),
]


class _FromClient(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True)


class Config(_FromClient):
    """Change what this connection is told; what is left out stays as it is."""

    type: Literal["config"] = "config"
    interim_results: bool | None = None
    word_timestamps: bool | None = None
    playout: bool | None = Field(
        default=None, description="Whether `playout` will be sent. The first one says so, too."
    )


class Text(_FromClient):
    """A typed turn; it is answered as if it had been spoken."""

    type: Literal["text"] = "text"
    text: str = Field(min_length=1, max_length=_LONGEST_TEXT, pattern=r"^[^\x00]*$", repr=False)


class Flush(_FromClient):
    """Have the final words of what was said so far, without waiting for a silence."""

    type: Literal["flush"] = "flush"


class Clear(_FromClient):
    """Take back what is being said just now: its words will not become final."""

    type: Literal["clear"] = "clear"


class Interrupt(_FromClient):
    """Take the floor from the agent: nothing more of what it says is heard."""

    type: Literal["interrupt"] = "interrupt"


class Pause(_FromClient):
    """Stand still: no listening, no speech, no time."""

    type: Literal["pause"] = "pause"


class Resume(_FromClient):
    """Go on; other reasons to stand still remain."""

    type: Literal["resume"] = "resume"


class Consent(_FromClient):
    """The answer to "may we record you?"; a refusal deletes what was recorded."""

    type: Literal["consent"] = "consent"
    recording_consent: bool | None


class Ack(_FromClient):
    """Everything up to here has arrived. It has no effect: what counts is the `last_seq` of `attach`."""

    type: Literal["ack"] = "ack"
    seq: int = Field(ge=0, le=_MOST_SEQ)


class Playout(_FromClient):
    """So much of a reply has been played to the user, counted from its beginning."""

    type: Literal["playout"] = "playout"
    reply_id: int = Field(ge=1, le=_MOST_SEQ)
    played_ms: int = Field(ge=0, le=_MOST_SEQ)


class End(_FromClient):
    """End the session. `session.end` answers it once everything is drained and stored."""

    type: Literal["end"] = "end"


class Attach(_FromClient):
    """Come back to a session: the first message of a connection that goes on with one."""

    type: Literal["attach"] = "attach"
    session_id: str = Field(min_length=1, max_length=_LONGEST_ID)
    resume_token: str = Field(min_length=1, max_length=_LONGEST_TOKEN, repr=False)
    last_seq: int = Field(ge=0, le=_MOST_SEQ, description="The last `seq` that has arrived.")


ClientMessage: TypeAlias = Annotated[
    Config
    | Text
    | Flush
    | Clear
    | Interrupt
    | Pause
    | Resume
    | Consent
    | Ack
    | Playout
    | End
    | Attach,
    Field(discriminator="type"),
]

SERVER_MESSAGE: Final[TypeAdapter[ServerMessage]] = TypeAdapter(ServerMessage)
"""Reads what a server sent."""

CLIENT_MESSAGE: Final[TypeAdapter[ClientMessage]] = TypeAdapter(ClientMessage)
"""Reads what a client sent, strictly."""


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of both directions: ``{"server": …, "client": …}``."""
    return {"server": SERVER_MESSAGE.json_schema(), "client": CLIENT_MESSAGE.json_schema()}
