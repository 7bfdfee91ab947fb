"""What a session *is* at one instant: the record. Frozen; see `life.apply` for change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen
from attrs.validators import deep_iterable, ge, instance_of

from .audio import AudioFormat, Encoding
from .errors import InvalidValue
from .identity import DEFAULT_TENANT, SessionId, TenantId, checked_id
from .instants import as_optional_utc, as_utc
from .states import STATUS_OF_END, EndReason, PauseReason, SessionState, SessionStatus
from .transitions import may_follow

__all__ = ("MAX_METADATA_BYTES", "DailyRemaining", "Pause", "Session", "metadata_json")

MAX_METADATA_BYTES: Final = 16 * 1024

_COUNT: Final = [instance_of(int), ge(0)]
_US_PER_S: Final = 1_000_000
_US_PER_MINUTE: Final = 60 * _US_PER_S


def metadata_json(metadata: Mapping[str, Any]) -> str:
    """Return *metadata* as canonical JSON.

    Raises:
        InvalidValue: It is no JSON object, or more than 16 KiB of it.
    """
    try:
        text = json.dumps(
            dict(metadata),
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            sort_keys=True,
        )
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            "metadata", type(metadata).__name__, f"a JSON object ({error})"
        ) from None
    if size > MAX_METADATA_BYTES:
        raise InvalidValue(
            "metadata", f"{size} bytes", f"at most {MAX_METADATA_BYTES} bytes of JSON"
        )
    if r"\u0000" in text:
        raise InvalidValue("metadata", "text with a NUL character", "text without NUL")
    return text


def _is_an_id(_instance: object, attribute: Any, value: str | None) -> None:
    if value is not None:
        checked_id(attribute.name, value)


@frozen
class Pause:
    """One reason to stand still, and since when."""

    reason: PauseReason
    since: datetime = field(converter=as_utc)


@frozen(kw_only=True)
class DailyRemaining:
    """What is left of today's budget; None where there is no limit."""

    audio_us: int | None = None
    video_tokens: int | None = None
    screen_tokens: int | None = None


@frozen(kw_only=True)
class Session:
    """One voice conversation, as of ``updated_at``.

    The parameters never change after creation; everything else changes by `life.apply`
    alone, except what a store writes in bulk for the owner: the running stats and the lease.

    Attributes:
        started_at: When it entered CONNECTING.
        live_at: When it was first LIVE.
        state_since: When it entered its present state.
        last_activity_at: Last sign that somebody is there; the idle time counts from here.
        active_us: Time spent LIVE before ``state_since``; pauses are free.
        seq: Counts the events of the journal; stores use it to refuse stale writes.
        deadline_at: When the session must be looked at although nothing happens.
        retention_days: 0 keeps nothing, -1 keeps for good.
        audio_duration_us: Media time: the caller's samples accepted, in microseconds.
        utterance_count: Utterances of the user; ``word_count`` counts their words.
        message_count: Contributions of both sides, spoken or typed.
        epoch: Counts the owners; a write with an older one is refused.
    """

    # identity
    id: SessionId = field(validator=_is_an_id)
    tenant_id: TenantId = field(default=DEFAULT_TENANT, validator=_is_an_id)
    user_id: str | None = field(default=None, validator=_is_an_id)
    created_by: str | None = None
    created_at: datetime = field(converter=as_utc)
    started_at: datetime | None = field(default=None, converter=as_optional_utc)
    live_at: datetime | None = field(default=None, converter=as_optional_utc)
    updated_at: datetime = field(converter=as_utc)
    ended_at: datetime | None = field(default=None, converter=as_optional_utc)

    # life
    state: SessionState = SessionState.IDLE
    state_since: datetime = field(converter=as_utc)
    last_activity_at: datetime = field(converter=as_utc)
    active_us: int = field(default=0, validator=_COUNT)
    pauses: tuple[Pause, ...] = ()
    end_reason: EndReason | None = None
    error: str | None = None
    seq: int = field(default=0, validator=_COUNT)
    deadline_at: datetime | None = field(default=None, converter=as_optional_utc)

    # parameters
    mode: str = "LS1A"
    language: str = "auto"
    model: str = "fast"
    encoding: Encoding = field(default=Encoding.PCM_S16LE, converter=Encoding)
    sample_rate: int = 16_000
    channels: int = 1
    store_audio: bool = False
    store_transcript: bool = False
    enhance_on_end: bool = False
    retention_days: int = field(default=30, validator=[instance_of(int), ge(-1)])
    device_type: str | None = None
    client_version: str | None = None
    key_hash: str | None = field(default=None, repr=False)

    # consent
    recording_consent: bool | None = None
    consent_by: str | None = None
    consent_wording: str | None = None
    consent_at: datetime | None = field(default=None, converter=as_optional_utc)
    secrets_blurred: tuple[str, ...] = field(
        default=(), converter=tuple, validator=deep_iterable(instance_of(str))
    )

    # words: never shown in a repr, which ends up in logs
    transcript_partial: str | None = field(default=None, repr=False)
    transcript_final: str | None = field(default=None, repr=False)

    # results
    audio_uri: str | None = None
    audio_partial: bool = False
    transcript_uri: str | None = None
    enhancement_job_id: str | None = None
    previous_session_id: SessionId | None = None

    # running stats, written in bulk while it is live
    audio_duration_us: int = field(default=0, validator=_COUNT)
    utterance_count: int = field(default=0, validator=_COUNT)
    word_count: int = field(default=0, validator=_COUNT)
    message_count: int = field(default=0, validator=_COUNT)
    audio_chunks_received: int = field(default=0, validator=_COUNT)
    audio_chunks_processed: int = field(default=0, validator=_COUNT)

    # budget view
    audio_used_us: int = field(default=0, validator=_COUNT)
    daily_budget_remaining: DailyRemaining | None = None

    # initiation
    session_template_id: str | None = None
    room_name: str | None = None
    modality_profile: str | None = None
    enabled_panels: tuple[str, ...] | None = None
    token_expiry: datetime | None = field(default=None, converter=as_optional_utc)

    # tracking: the lease is the store's to write
    worker_id: str | None = None
    epoch: int = field(default=0, validator=_COUNT)
    lease_expires_at: datetime | None = field(default=None, converter=as_optional_utc)
    client_ip: str | None = field(default=None, repr=False)
    metadata_json: str = field(default="{}", repr=False)

    def __attrs_post_init__(self) -> None:
        # Together they must be a format that exists; the error names the field.
        _ = self.audio_format

    @property
    def status(self) -> SessionStatus:
        """What lists show."""
        if self.end_reason is None:
            return SessionStatus.ACTIVE
        return STATUS_OF_END[self.end_reason]

    @property
    def pause_reasons(self) -> frozenset[PauseReason]:
        """Every reason for which the session stands still; empty unless PAUSED."""
        return frozenset(pause.reason for pause in self.pauses)

    @property
    def audio_format(self) -> AudioFormat:
        """The caller's audio, as it arrives."""
        return AudioFormat(self.encoding, self.sample_rate, self.channels)

    @property
    def metadata(self) -> dict[str, Any]:
        """The host's own JSON object; a fresh copy each time."""
        parsed: dict[str, Any] = json.loads(self.metadata_json)
        return parsed

    @property
    def audio_duration_seconds(self) -> float:
        """Media time in seconds."""
        return self.audio_duration_us / _US_PER_S

    @property
    def audio_minutes_used(self) -> float:
        """Audio charged so far, in minutes."""
        return self.audio_used_us / _US_PER_MINUTE

    @property
    def keeps_audio(self) -> bool:
        """Whether audio may be recorded: it is wanted, and nobody has refused."""
        return self.store_audio and self.recording_consent is not False

    def can_transition_to(self, state: str) -> bool:
        """Whether some event can move the session from its present state to *state*.

        Raises:
            ValueError: There is no state of that name.
        """
        return may_follow(self.state, SessionState(state))
