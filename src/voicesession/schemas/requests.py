"""
What a caller may say: bodies and query parameters.

What is not named here is refused, so that a typing error does not pass for a wish that was
granted, and an attempt to change what cannot be changed is told.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ..core.audio import MAX_RATE_HZ, MIN_RATE_HZ, Encoding
from ..core.meters import Meter
from ..core.states import SessionState, SessionStatus
from ..core.tasks import TaskState
from ..core.windows import Window

__all__ = (
    "AudioQuery",
    "Command",
    "DeleteQuery",
    "EndCommand",
    "EventsQuery",
    "LimitQuery",
    "ListQuery",
    "NewRoom",
    "NewSession",
    "NewTemplate",
    "Nothing",
    "Query",
    "RemainingWanted",
    "SessionChanges",
    "SetLimit",
    "TasksQuery",
    "TemplatesQuery",
    "TenantQuery",
    "TranscriptQuery",
    "Whose",
)

MAX_PAGE: Final = 100
MAX_OFFSET: Final = 1_000_000

_LONGEST_TEXT: Final = 256
_MOST_DAYS: Final = 36_500
_MOST_UNITS: Final = 2**53
"""More than anybody spends, and still exact in every JSON reader."""

_Id: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
_Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]
_Limit: TypeAlias = Annotated[int, Field(ge=1, le=MAX_PAGE)]


class Whose(BaseModel):
    """The tenant that is meant: the caller's own, if none is named."""

    model_config = ConfigDict(frozen=True)

    tenant_id: _Id | None = None
    namespace_id: _Id | None = Field(default=None, description="Another name of `tenant_id`.")
    organization_id: _Id | None = Field(default=None, description="Another name of `tenant_id`.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len({self.tenant_id, self.namespace_id, self.organization_id} - {None}) > 1:
            raise ValueError("tenant_id, namespace_id and organization_id mean the same")
        return self

    @property
    def tenant(self) -> str | None:
        """The tenant that is named, under whichever name."""
        return self.tenant_id or self.namespace_id or self.organization_id


class _Query(Whose):
    model_config = ConfigDict(extra="forbid")


class Query(_Query):
    """What any call for a session may say in its URL."""

    user_id: _Name | None = Field(default=None, description="Whose session it must be.")


class ListQuery(Query):
    """Which sessions, and which page of them."""

    state: SessionState | None = None
    status: SessionStatus | None = None
    mode: _Name | None = None
    since: AwareDatetime | None = Field(
        default=None, description="Started at this instant, or later."
    )
    until: AwareDatetime | None = Field(default=None, description="Started before this instant.")
    limit: _Limit = 50
    cursor: str | None = Field(
        default=None, max_length=1024, description="`next_cursor` of a page."
    )
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="Not together with a cursor.")
    order: Literal["asc", "desc"] = Field("desc", description="By the start.")


class DeleteQuery(Query):
    """How a session is deleted."""

    end: bool = Field(default=False, description="End it first, if it is active.")


class AudioQuery(Query):
    """How the recording is fetched."""

    redirect: bool = Field(
        default=True, description="Answer 307 where the store can be asked directly."
    )


class TranscriptQuery(Query):
    """How the words are written."""

    format: Literal["json", "txt", "srt", "vtt"] = "json"
    merge: Literal["linked"] | None = Field(
        default=None,
        description="With the words of the sessions that this one continues, in front.",
    )


class EventsQuery(Query):
    """Which part of the journal."""

    after: int = Field(0, ge=0, le=_MOST_UNITS, description="Only events behind this seq.")
    limit: _Limit = MAX_PAGE


class TasksQuery(Query):
    """Which tasks."""

    state: TaskState | None = None


class TemplatesQuery(_Query):
    """Which page of the templates, by id."""

    limit: _Limit = 50
    cursor: _Id | None = None


class TenantQuery(_Query):
    """Only whose it is."""


class LimitQuery(_Query):
    """Which limit."""

    meter: Meter
    window: Window


class Nothing(BaseModel):
    """Nothing may be said."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- bodies ------------------------------------------------------------------------------


class _Body(BaseModel):
    # In JSON a number is a number: "5" is none, and "yes" is no flag.
    model_config = ConfigDict(extra="forbid", strict=True)


class NewSession(Whose, _Body):
    """A session to be created. What is left out has the default shown."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "ada", "store_transcript": True, "language": "en"},
                {"store_audio": True, "recording_consent": True, "metadata": {"call": "42"}},
            ]
        }
    )

    session_id: _Id | None = Field(
        default=None, description="Your own id; one is drawn, if not given."
    )
    user_id: _Name | None = None
    mode: _Name = "LS1A"
    language: _Name = "auto"
    model: _Name = "fast"
    encoding: Encoding = Encoding.PCM_S16LE
    sample_rate: int = Field(16_000, ge=MIN_RATE_HZ, le=MAX_RATE_HZ)
    channels: int = Field(1, ge=1, le=2)
    store_audio: bool = False
    store_transcript: bool = False
    enhance_on_end: bool = False
    recording_consent: bool | None = None
    secrets_blurred: list[_Name] = Field(default=[], max_length=32)
    resume_session_id: _Id | None = Field(
        default=None, description="An earlier session to continue."
    )
    retention_days: int = Field(30, ge=-1, le=_MOST_DAYS)
    metadata: dict[str, Any] = Field(default={}, description="At most 16 KiB of JSON.")
    device_type: _Name | None = None
    client_version: _Name | None = None
    key_hash: _Name | None = Field(
        default=None, description="Of the namespace's key; never returned."
    )
    session_template_id: _Id | None = None


class NewRoom(Whose, _Body):
    """A session to be started in a room of its own."""

    session_template_id: _Id
    user_id: _Name | None = None


class RemainingWanted(_Body):
    """What shall be left of the user's day; what is not named stays as it is."""

    audioMin: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)  # noqa: N815
    videoTokens: int | None = Field(default=None, ge=0, le=_MOST_UNITS)  # noqa: N815
    screenTokens: int | None = Field(default=None, ge=0, le=_MOST_UNITS)  # noqa: N815


class SessionChanges(_Body):
    """What may be changed; everything else was settled when the session was created."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"metadata": {"call": "42"}}]})

    transcript_partial: str | None = Field(default=None, max_length=32_768)
    metadata: dict[str, Any] | None = None
    audio_minutes_used: float | None = Field(
        default=None,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="In all; never less than is recorded. Needs the scope `usage`.",
    )
    daily_budget_remaining: RemainingWanted | None = Field(
        default=None, description="Sets the limits of the user's day. Needs the scope `usage`."
    )


class Command(_Body):
    """A command; the body may be left out."""

    reason: _Name | None = Field(default=None, description="For people; it is not kept.")


class EndCommand(_Body):
    """How a session ends; the body may be left out."""

    reason: Literal["completed", "cancelled", "error"] = "completed"


class NewTemplate(Whose, _Body):
    """What sessions of one kind begin with; what is left out is left to the session."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Interview", "language": "en"}]}
    )

    name: _Name
    language: _Name | None = None
    model: _Name | None = None
    modality_profile: _Name = "audio"
    enabled_panels: list[_Name] | None = Field(default=None, max_length=64)
    max_active_seconds: int | None = Field(default=None, ge=0, le=_MOST_DAYS * 86_400)
    max_wall_clock_seconds: int | None = Field(default=None, ge=0, le=_MOST_DAYS * 86_400)
    audio_budget_minutes: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)
    agent_metadata: dict[str, Any] = Field(default={}, description="What the agent is told.")


class SetLimit(_Body):
    """A limit to be set, in place of the one before it, or to be raised."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"meter": "audio_us", "window": "day", "amount": 60}]}
    )

    meter: Meter
    window: Window
    amount: int | None = Field(
        default=None,
        ge=0,
        le=_MOST_UNITS,
        description="In units of the meter; 0 lets nothing be spent.",
    )
    raise_by: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_UNITS,
        description="In place of `amount`: what is there, and so much.",
    )
    warn_at: float = Field(0.8, gt=0, le=1, description="The share at which it warns.")
