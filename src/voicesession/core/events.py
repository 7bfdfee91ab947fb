"""
What can happen to a session: the only things that `apply` takes.

Events are facts, or wishes named ``…Requested``. Each is stamped by the caller's clock.
The first group moves the session through its life; the second are the durable outcomes
that leave the state as it is. Both are journalled, so neither ever holds words, audio or
secrets: an utterance is named by its id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from .errors import InvalidValue
from .fields import is_count, is_flag, is_text, naming_fields
from .instants import as_utc
from .states import EndReason
from .utterance import Speaker, UtteranceId

__all__ = (
    "AudioGapFound",
    "BudgetLevelReached",
    "BudgetRaised",
    "BudgetSpent",
    "ConnectRequested",
    "ConsentChanged",
    "DetailsChanged",
    "EndRequested",
    "LimitRaised",
    "LimitReached",
    "PauseRequested",
    "RecordingLinked",
    "ReplyFinished",
    "ResumeRequested",
    "SessionEvent",
    "ShutdownBegan",
    "TransportLost",
    "TransportReady",
    "UtteranceFinished",
    "WarningRaised",
    "WorkerLost",
    "WorkerReady",
)


def _not_before(start: str) -> Callable[[object, Any, int], None]:
    def check(event: object, attribute: Any, value: int) -> None:
        start_us: int = getattr(event, start)
        if value < start_us:
            raise InvalidValue(attribute.name, value, f"{start_us} ({start}) or later")

    return check


_TEXT_OR_NONE: Final = optional(is_text)


@frozen(kw_only=True, field_transformer=naming_fields)
class SessionEvent:
    """Something that happened to a session.

    Raises:
        InvalidValue: Of every event: a field holds what it may not; the error names it.
    """

    at: datetime = field(converter=as_utc)


# --- Life -------------------------------------------------------------------------------


@frozen(kw_only=True)
class ConnectRequested(SessionEvent):
    """A client was promised a session; the connect window begins."""


@frozen(kw_only=True)
class TransportReady(SessionEvent):
    """Audio can flow. Lifts ``disconnected``."""


@frozen(kw_only=True)
class TransportLost(SessionEvent):
    """The client is gone; the reconnect grace begins."""


@frozen(kw_only=True)
class PauseRequested(SessionEvent):
    """The user, or the host for them, wants the session to stand still."""


@frozen(kw_only=True)
class ResumeRequested(SessionEvent):
    """The user wants to go on. Lifts ``user`` and nothing else."""


@frozen(kw_only=True)
class BudgetSpent(SessionEvent):
    """A budget that applies to the session is used up."""


@frozen(kw_only=True)
class BudgetRaised(SessionEvent):
    """Every budget has room again. Lifts ``budget_exhausted``."""


@frozen(kw_only=True)
class LimitReached(SessionEvent):
    """The session has been active for as long as it may."""


@frozen(kw_only=True)
class LimitRaised(SessionEvent):
    """The session may be active for longer. Lifts ``limit_reached``."""


@frozen(kw_only=True)
class WorkerLost(SessionEvent):
    """The worker's lease lapsed: nobody runs the session."""


@frozen(kw_only=True)
class ShutdownBegan(SessionEvent):
    """The worker is going away in good order and gives the session up."""


@frozen(kw_only=True)
class WorkerReady(SessionEvent):
    """A worker took the session over. Lifts ``worker_lost`` and ``shutdown``."""


@frozen(kw_only=True, field_transformer=naming_fields)
class EndRequested(SessionEvent):
    """The session is over, for good.

    Attributes:
        error: What went wrong, for people, if something did.
    """

    reason: EndReason = field(converter=EndReason)
    error: str | None = field(default=None, validator=_TEXT_OR_NONE)


# --- Durable outcomes -------------------------------------------------------------------


@frozen(kw_only=True)
class UtteranceFinished(SessionEvent):
    """The user's words of one utterance are final, and stored under its id."""

    utterance_id: UtteranceId = field(validator=is_text)
    start_us: int = field(validator=is_count)
    end_us: int = field(validator=[is_count, _not_before("start_us")])
    word_count: int = field(validator=is_count)


@frozen(kw_only=True)
class ReplyFinished(SessionEvent):
    """The agent has spoken, to the end or until it was interrupted.

    Attributes:
        heard_us: How much of the reply was played, in microseconds.
    """

    utterance_id: UtteranceId = field(validator=is_text)
    start_us: int = field(validator=is_count)
    heard_us: int = field(validator=is_count)
    interrupted: bool = field(validator=is_flag)


@frozen(kw_only=True, field_transformer=naming_fields)
class AudioGapFound(SessionEvent):
    """Audio of one track is missing between two points of media time."""

    track: Speaker = field(converter=Speaker)
    from_us: int = field(validator=is_count)
    to_us: int = field(validator=[is_count, _not_before("from_us")])


@frozen(kw_only=True)
class WarningRaised(SessionEvent):
    """Something is degraded; ``code`` is stable and holds no user data."""

    code: str = field(validator=is_text)


@frozen(kw_only=True)
class ConsentChanged(SessionEvent):
    """The user was asked whether they may be recorded, and answered.

    Attributes:
        given: True, False, or None where the answer was taken back to "not asked".
        by: Who answered or recorded the answer, as the host names them.
        wording: Version of the wording that they were shown.
    """

    given: bool | None = field(validator=optional(is_flag))
    by: str | None = field(default=None, validator=_TEXT_OR_NONE)
    wording: str | None = field(default=None, validator=_TEXT_OR_NONE)


@frozen(kw_only=True)
class BudgetLevelReached(SessionEvent):
    """A budget passed a level; a warning is given once for each armed limit."""

    meter: str = field(validator=is_text)
    scope: str = field(validator=is_text)
    level: str = field(validator=is_text)


@frozen(kw_only=True)
class DetailsChanged(SessionEvent):
    """Fields that do not matter to the life of the session were changed; names only."""

    fields: tuple[str, ...] = field(validator=deep_iterable(is_text, instance_of(tuple)))


@frozen(kw_only=True)
class RecordingLinked(SessionEvent):
    """The recording is where ``audio_uri`` says; possibly found after a crash."""

    partial: bool = field(validator=is_flag)
