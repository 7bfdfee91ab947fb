"""What a session *is* at one instant: the record. Frozen; see `life.apply` for change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from attrs import field, frozen
from attrs.validators import optional

from .audio import AudioFormat, Encoding, is_channels, is_rate
from .errors import InvalidValue
from .fields import is_count, is_flag, is_text, naming_fields
from .identity import DEFAULT_TENANT, SessionId, TenantId, is_id
from .instants import as_optional_utc, as_utc
from .metadata import is_metadata_json
from .states import STATUS_OF_END, EndReason, PauseReason, SessionState, SessionStatus
from .transitions import LIFTED_BY, may_follow

__all__ = (
    "LONGEST_LIMIT_US",
    "DailyRemaining",
    "Pause",
    "Session",
    "is_time_limit",
)

_LONGEST_USER: Final = 256
_US_PER_S: Final = 1_000_000
_US_PER_MINUTE: Final = 60 * _US_PER_S

LONGEST_LIMIT_US: Final = 36_500 * 24 * 60 * _US_PER_MINUTE
"""Far enough for anybody, and near enough for every sum with an instant to be a datetime."""


def _is_user(session: object, attribute: Any, value: Any) -> None:
    # As the host names them: an address, a subject of a token. It is no part of a path.
    is_text(session, attribute, value)
    if not 1 <= len(value) <= _LONGEST_USER:
        raise InvalidValue(attribute.name, value, f"1 to {_LONGEST_USER} characters")


def _as_end_reason(value: str | None) -> EndReason | None:
    return None if value is None else EndReason(value)


def _as_texts(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):  # it would fall apart into its letters
        raise InvalidValue("texts", values, "several texts, not one")
    return tuple(values)


def _as_optional_texts(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else _as_texts(values)


def _are_texts(session: object, attribute: Any, values: tuple[str, ...] | None) -> None:
    for value in values or ():
        is_text(session, attribute, value)


def _is_consent(_session: object, attribute: Any, value: Any) -> None:
    # A 0 from some database would pass for "not refused".
    if value is not None and type(value) is not bool:
        raise InvalidValue(attribute.name, value, "None (not asked), False or True")


def _is_retention(_session: object, attribute: Any, value: Any) -> None:
    if type(value) is not int or value < -1:
        raise InvalidValue(attribute.name, value, "whole days, or -1 for good")


def is_time_limit(_instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: whole microseconds from 0 to a hundred years, or None for no limit.

    Raises:
        InvalidValue: It is something else.
    """
    if value is not None and (type(value) is not int or not 0 <= value <= LONGEST_LIMIT_US):
        raise InvalidValue(attribute.name, value, f"0 to {LONGEST_LIMIT_US} us, or None")


# There are few, and they are asked for all the time.
_audio_format: Final = lru_cache(maxsize=64)(AudioFormat)

_ID_OR_NONE: Final = optional(is_id)
_TEXT_OR_NONE: Final = optional(is_text)


@frozen(field_transformer=naming_fields)
class Pause:
    """One reason to stand still, and since when."""

    reason: PauseReason = field(converter=PauseReason)
    since: datetime = field(converter=as_utc)


@frozen(kw_only=True)
class DailyRemaining:
    """What is left of today's budget; None where there is no limit."""

    audio_us: int | None = None
    video_tokens: int | None = None
    screen_tokens: int | None = None


@frozen(kw_only=True, field_transformer=naming_fields)
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
        max_active_us: How long it may be LIVE, pauses not counted; None leaves that to the
            policy of whoever runs it. Of the two, the stricter holds.
        max_wall_clock_us: The same for how long it may last with its pauses.
        legal_hold: Nothing of it may be deleted, however old it is or whoever asks.
        audio_duration_us: Media time: the caller's samples accepted, in microseconds.
        utterance_count: Utterances of the user; ``word_count`` counts their words.
        message_count: Contributions of both sides, spoken or typed.
        epoch: Counts the owners; a write with an older one is refused.

    Raises:
        InvalidValue: A field holds what it may not; the error names it.
    """

    # identity
    id: SessionId = field(validator=is_id)
    tenant_id: TenantId = field(default=DEFAULT_TENANT, validator=is_id)
    user_id: str | None = field(default=None, validator=optional(_is_user))
    created_by: str | None = field(default=None, validator=_TEXT_OR_NONE)
    created_at: datetime = field(converter=as_utc)
    started_at: datetime | None = field(default=None, converter=as_optional_utc)
    live_at: datetime | None = field(default=None, converter=as_optional_utc)
    updated_at: datetime = field(converter=as_utc)
    ended_at: datetime | None = field(default=None, converter=as_optional_utc)

    # life
    state: SessionState = field(default=SessionState.IDLE, converter=SessionState)
    state_since: datetime = field(converter=as_utc)
    last_activity_at: datetime = field(converter=as_utc)
    active_us: int = field(default=0, validator=is_count)
    pauses: tuple[Pause, ...] = ()
    end_reason: EndReason | None = field(default=None, converter=_as_end_reason)
    error: str | None = field(default=None, validator=_TEXT_OR_NONE)
    seq: int = field(default=0, validator=is_count)
    deadline_at: datetime | None = field(default=None, converter=as_optional_utc)

    # parameters
    mode: str = field(default="LS1A", validator=is_text)
    language: str = field(default="auto", validator=is_text)
    model: str = field(default="fast", validator=is_text)
    encoding: Encoding = field(default=Encoding.PCM_S16LE, converter=Encoding)
    sample_rate: int = field(default=16_000, validator=is_rate)
    channels: int = field(default=1, validator=is_channels)
    store_audio: bool = False
    store_transcript: bool = False
    enhance_on_end: bool = False
    retention_days: int = field(default=30, validator=_is_retention)
    max_active_us: int | None = field(default=None, validator=is_time_limit)
    max_wall_clock_us: int | None = field(default=None, validator=is_time_limit)
    device_type: str | None = field(default=None, validator=_TEXT_OR_NONE)
    client_version: str | None = field(default=None, validator=_TEXT_OR_NONE)
    key_hash: str | None = field(default=None, validator=_TEXT_OR_NONE, repr=False)

    # consent
    recording_consent: bool | None = field(default=None, validator=_is_consent)
    consent_by: str | None = field(default=None, validator=_TEXT_OR_NONE)
    consent_wording: str | None = field(default=None, validator=_TEXT_OR_NONE)
    consent_at: datetime | None = field(default=None, converter=as_optional_utc)
    secrets_blurred: tuple[str, ...] = field(default=(), converter=_as_texts, validator=_are_texts)

    # words: never shown in a repr, which ends up in logs
    transcript_partial: str | None = field(default=None, validator=_TEXT_OR_NONE, repr=False)
    transcript_final: str | None = field(default=None, validator=_TEXT_OR_NONE, repr=False)

    # results
    audio_uri: str | None = field(default=None, validator=_TEXT_OR_NONE)
    audio_partial: bool = False
    transcript_uri: str | None = field(default=None, validator=_TEXT_OR_NONE)
    enhancement_job_id: str | None = field(default=None, validator=_TEXT_OR_NONE)
    previous_session_id: SessionId | None = field(default=None, validator=_ID_OR_NONE)
    legal_hold: bool = field(default=False, validator=is_flag)

    # running stats, written in bulk while it is live
    audio_duration_us: int = field(default=0, validator=is_count)
    utterance_count: int = field(default=0, validator=is_count)
    word_count: int = field(default=0, validator=is_count)
    message_count: int = field(default=0, validator=is_count)
    audio_chunks_received: int = field(default=0, validator=is_count)
    audio_chunks_processed: int = field(default=0, validator=is_count)

    # budget view
    audio_used_us: int = field(default=0, validator=is_count)
    daily_budget_remaining: DailyRemaining | None = None

    # initiation
    session_template_id: str | None = field(default=None, validator=_TEXT_OR_NONE)
    room_name: str | None = field(default=None, validator=_TEXT_OR_NONE)
    modality_profile: str | None = field(default=None, validator=_TEXT_OR_NONE)
    enabled_panels: tuple[str, ...] | None = field(
        default=None, converter=_as_optional_texts, validator=_are_texts
    )
    token_expiry: datetime | None = field(default=None, converter=as_optional_utc)

    # tracking: the lease is the store's to write
    worker_id: str | None = field(default=None, validator=_TEXT_OR_NONE)
    epoch: int = field(default=0, validator=is_count)
    lease_expires_at: datetime | None = field(default=None, converter=as_optional_utc)
    client_ip: str | None = field(default=None, validator=_TEXT_OR_NONE, repr=False)
    metadata_json: str = field(default="{}", validator=is_metadata_json, repr=False)

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
        return _audio_format(self.encoding, self.sample_rate, self.channels)

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
        """Whether one event can move the session from its present state to *state*.

        None leads from PAUSED to LIVE if the reasons need more than one to be lifted.

        Raises:
            InvalidValue: There is no state of that name.
        """
        target = SessionState(state)
        if self.state is SessionState.PAUSED and target is SessionState.LIVE:
            return any(self.pause_reasons <= lifted for lifted in LIFTED_BY.values())
        return may_follow(self.state, target)
