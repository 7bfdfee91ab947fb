"""
What can happen to a session: the only things that `apply` takes.

Events are facts, or wishes named ``…Requested``. Each is stamped by the caller's clock.
The first group moves the session through its life; the second are the durable outcomes
that leave the state as it is. Both are journalled, so neither ever holds words, audio or
secrets: an utterance is named by its id.
"""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen
from attrs.validators import ge

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


@frozen(kw_only=True)
class SessionEvent:
    """Something that happened to a session."""

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


@frozen(kw_only=True)
class EndRequested(SessionEvent):
    """The session is over, for good.

    Attributes:
        error: What went wrong, for people; only with a reason that is an error.
    """

    reason: EndReason
    error: str | None = None


# --- Durable outcomes -------------------------------------------------------------------


@frozen(kw_only=True)
class UtteranceFinished(SessionEvent):
    """The user's words of one utterance are final, and stored under its id."""

    utterance_id: UtteranceId
    start_us: int = field(validator=ge(0))
    end_us: int = field(validator=ge(0))
    word_count: int = field(validator=ge(0))


@frozen(kw_only=True)
class ReplyFinished(SessionEvent):
    """The agent has spoken, to the end or until it was interrupted.

    Attributes:
        heard_us: How much of the reply was played, in microseconds.
    """

    utterance_id: UtteranceId
    start_us: int = field(validator=ge(0))
    heard_us: int = field(validator=ge(0))
    interrupted: bool


@frozen(kw_only=True)
class AudioGapFound(SessionEvent):
    """Audio of one track is missing between two points of media time."""

    track: Speaker
    from_us: int = field(validator=ge(0))
    to_us: int = field(validator=ge(0))


@frozen(kw_only=True)
class WarningRaised(SessionEvent):
    """Something is degraded; ``code`` is stable and holds no user data."""

    code: str


@frozen(kw_only=True)
class ConsentChanged(SessionEvent):
    """The user was asked whether they may be recorded, and answered.

    Attributes:
        given: True, False, or None where the answer was taken back to "not asked".
        by: Who answered or recorded the answer, as the host names them.
        wording: Version of the wording that they were shown.
    """

    given: bool | None
    by: str | None = None
    wording: str | None = None


@frozen(kw_only=True)
class BudgetLevelReached(SessionEvent):
    """A budget passed a level; a warning is given once for each armed limit."""

    meter: str
    scope: str
    level: str


@frozen(kw_only=True)
class DetailsChanged(SessionEvent):
    """Fields that do not matter to the life of the session were changed; names only."""

    fields: tuple[str, ...]


@frozen(kw_only=True)
class RecordingLinked(SessionEvent):
    """The recording is where ``audio_uri`` says; possibly found after a crash."""

    partial: bool
