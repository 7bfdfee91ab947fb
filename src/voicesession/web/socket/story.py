"""
The durable messages: what a client is told of a session's journal, each entry at most once.

The same function tells them as they happen and again to a client that missed them, so that
both are alike. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from attrs import frozen

from ...core.events import (
    AudioGapFound,
    BudgetLevelReached,
    EndRequested,
    ReplyFinished,
    SessionEvent,
    UtteranceFinished,
    WarningRaised,
    WorkerLost,
)
from ...core.journal import JournalEntry, replay
from ...core.session import Session
from ...core.states import PauseReason, SessionState
from ...core.transcript import utterance_document
from ...core.utterance import Utterance, UtteranceId
from ...schemas.messages import (
    BudgetWarning,
    ServerMessage,
    SessionEnd,
    SessionPaused,
    SessionResumed,
    SessionStateChanged,
    TranscriptFinal,
    Warned,
)
from ...schemas.parts import Totals, UtteranceModel

__all__ = (
    "Moment",
    "durable_message",
    "final_message",
    "is_restored",
    "moments_of",
    "session_end",
)

_SPOKEN: Final = (UtteranceFinished, ReplyFinished)
_BREAKS: Final = frozenset(
    {PauseReason.DISCONNECTED, PauseReason.SHUTDOWN, PauseReason.WORKER_LOST}
)


@frozen(kw_only=True)
class Moment:
    """One entry of the journal, and the session on both sides of it."""

    before: Session
    entry: JournalEntry
    after: Session

    @property
    def utterance_id(self) -> UtteranceId | None:
        """The utterance that became durable with it."""
        event = self.entry.event
        return event.utterance_id if isinstance(event, _SPOKEN) else None


def moments_of(session: Session, entries: Iterable[JournalEntry]) -> tuple[Moment, ...]:
    """Return the moments of *session* after the first, which brought it into being.

    Args:
        entries: Its whole journal.
    """
    journal = tuple(entries)
    after = tuple(replay(journal, session_id=session.id, created_at=session.created_at))
    return tuple(
        Moment(before=before, entry=entry, after=now)
        for before, entry, now in zip(after, journal[1:], after[1:], strict=False)
    )


def durable_message(moment: Moment, *, at: datetime) -> ServerMessage | None:
    """Return what a client is told of *moment*; None where that is nothing.

    Words come by `final_message`, and the end by `session_end`: both need more than the journal
    has.
    """
    event = moment.entry.event
    if type(event) in _TOLD:
        return _TOLD[type(event)](event, moment.entry.seq, at)
    before, after = moment.before, moment.after
    if after.state is SessionState.PAUSED and before.pause_reasons != after.pause_reasons:
        reasons = tuple(pause.reason.value for pause in after.pauses)
        return SessionPaused(at=at, seq=moment.entry.seq, reasons=cast("Any", reasons))
    if after.state is before.state or after.state is SessionState.ENDED:
        return None
    if before.state is SessionState.PAUSED:
        return SessionResumed(at=at, seq=moment.entry.seq)
    return SessionStateChanged(at=at, seq=moment.entry.seq, state=cast("Any", after.state.value))


def final_message(utterance: Utterance, seq: int, *, at: datetime, words: bool) -> TranscriptFinal:
    """Return the message for an utterance that is stored.

    Args:
        words: With the time of each.
    """
    document = utterance_document(utterance)
    if not words:
        document["words"] = []
    return TranscriptFinal(at=at, seq=seq, utterance=UtteranceModel.model_validate(document))


def session_end(session: Session, *, at: datetime) -> SessionEnd:
    """Return the last message of a session that has ended."""
    return SessionEnd(
        at=at,
        seq=session.seq,
        session_id=session.id,
        status=cast("Any", session.status.value),
        end_reason=cast("Any", session.end_reason),
        totals=Totals(
            audio_duration_seconds=session.audio_duration_seconds,
            utterance_count=session.utterance_count,
            word_count=session.word_count,
            message_count=session.message_count,
        ),
        audio_uri=session.audio_uri,
        transcript_uri=session.transcript_uri,
    )


def is_restored(moments: Iterable[Moment], *, is_conversation: bool) -> bool:
    """Whether a session that was left and is LIVE again goes on as if nothing had been.

    It does not if its worker died, if the reply that was being spoken was cut off by it, or if
    something was said to the agent that it never answered.

    Args:
        moments: All of them, in order.
    """
    left_at: int | None = None
    is_lost = is_unanswered = False
    for moment in moments:
        event = moment.entry.event
        if moment.before.state is SessionState.LIVE is not moment.after.state:
            left_at, is_lost = moment.entry.seq, False
        is_lost |= isinstance(event, WorkerLost)
        if isinstance(event, UtteranceFinished):
            is_unanswered = True
        elif isinstance(event, ReplyFinished):
            is_unanswered = False
            # Cut off by the break: it was over only after the session had left LIVE.
            is_lost |= event.interrupted and not _BREAKS.isdisjoint(moment.after.pause_reasons)
    return left_at is None or not (is_lost or (is_conversation and is_unanswered))


_Teller: TypeAlias = Callable[[Any, int, datetime], ServerMessage | None]


def _budget(event: BudgetLevelReached, seq: int, at: datetime) -> BudgetWarning:
    return BudgetWarning(
        at=at,
        seq=seq,
        meter=event.meter,
        scope=event.scope,
        message=f"the limit of the {event.scope} for {event.meter} is {event.level}",
    )


def _nothing(_event: SessionEvent, _seq: int, _at: datetime) -> None:
    return None


_TOLD: Final[Mapping[type[SessionEvent], _Teller]] = MappingProxyType(
    {
        BudgetLevelReached: _budget,
        WarningRaised: lambda event, seq, at: Warned(at=at, seq=seq, code=event.code),
        AudioGapFound: lambda _event, seq, at: Warned(at=at, seq=seq, code="audio_gap"),
        UtteranceFinished: _nothing,
        ReplyFinished: _nothing,
        EndRequested: _nothing,
    }
)
