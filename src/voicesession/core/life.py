"""
The Life machine: the one way to change a session.

`apply` takes a session and an event and returns the session as it is afterwards; the
table in `transitions` decides where it may go. `reactions` compares two snapshots and
says what the shell owes the world for the difference: so the owner does the same
whether it made the change itself or learnt of another worker's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve

from .errors import InvalidState
from .events import (
    ConnectRequested,
    ConsentChanged,
    EndRequested,
    PauseRequested,
    RecordingLinked,
    ReplyFinished,
    ResumeRequested,
    SessionEvent,
    TransportReady,
    UtteranceFinished,
)
from .instants import duration_us
from .session import Pause, Session
from .snapshots import changed
from .states import SessionState
from .transitions import LIFTED_BY, PAUSED_BY, TRANSITIONS, allowed

__all__ = ("Reaction", "apply", "is_legal", "reactions")

Changes = dict[str, Any]


class Reaction(StrEnum):
    """Something the shell owes after a change."""

    SAVE = "save"
    LISTEN = "listen"
    FALL_SILENT = "fall_silent"
    SETTLE = "settle"
    PURGE_RECORDING = "purge_recording"
    FINALISE = "finalise"


def is_legal(session: Session, event: SessionEvent) -> bool:
    """Whether `apply` would take *event*: it has a cell in the table and changes something."""
    return _may_happen(session, type(event))


def _may_happen(session: Session, kind: type[SessionEvent]) -> bool:
    if kind not in TRANSITIONS[session.state]:
        return False
    if kind in PAUSED_BY:
        return PAUSED_BY[kind] not in session.pause_reasons
    if kind in LIFTED_BY and session.state is SessionState.PAUSED:
        return bool(LIFTED_BY[kind] & session.pause_reasons)
    return True


def apply(session: Session, event: SessionEvent) -> Session:
    """Return the session as it is after *event*; the argument is not changed.

    Time never runs backwards: an event stamped before ``updated_at`` (two workers' clocks
    differ) counts as happening at ``updated_at``.

    Raises:
        InvalidState: The event is not legal now; see `is_legal`.
    """
    if not is_legal(session, event):
        raise _refusal(session, event)
    if event.at < session.updated_at:
        event = evolve(event, at=session.updated_at)
    kind = type(event)
    pauses = _pauses_after(session, event)
    target = TRANSITIONS[session.state][kind]
    if kind in LIFTED_BY and pauses:
        target = SessionState.PAUSED
    changes: Changes = {
        "seq": session.seq + 1,
        "updated_at": event.at,
        "state": target,
        "pauses": pauses,
    }
    if target is not session.state:
        changes |= {
            "state_since": event.at,
            "active_us": session.active_us + _just_active_us(session, event),
        }
        if target is SessionState.LIVE:
            changes["live_at"] = session.live_at or event.at
    if kind in _SIGNS_OF_LIFE:
        changes["last_activity_at"] = event.at
    if kind in _EFFECTS:
        changes |= _EFFECTS[kind](session, event)
    return changed(session, **changes)


def reactions(before: Session, after: Session) -> tuple[Reaction, ...]:
    """Return what is owed because *before* became *after*, in the order in which to do it.

    It only compares the two, so any number of events may lie between them.
    """
    owed: list[Reaction] = []
    was_live, is_live = (s.state is SessionState.LIVE for s in (before, after))
    if after.seq != before.seq:
        owed.append(Reaction.SAVE)
    if was_live and not is_live:
        owed += [Reaction.FALL_SILENT, Reaction.SETTLE]
    if is_live and not was_live:
        owed.append(Reaction.LISTEN)
    if before.keeps_audio and not after.keeps_audio:
        owed.append(Reaction.PURGE_RECORDING)
    if after.state is SessionState.ENDED is not before.state:
        owed.append(Reaction.FINALISE)
    return tuple(owed)


def _refusal(session: Session, event: SessionEvent) -> InvalidState:
    reasons = ", ".join(pause.reason for pause in session.pauses)
    state = f"{session.state} ({reasons})" if reasons else str(session.state)
    legal = tuple(kind.__name__ for kind in allowed(session.state) if _may_happen(session, kind))
    return InvalidState(state, type(event).__name__, legal)


def _just_active_us(session: Session, event: SessionEvent) -> int:
    if session.state is not SessionState.LIVE:
        return 0
    return duration_us(event.at - session.state_since)


def _pauses_after(session: Session, event: SessionEvent) -> tuple[Pause, ...]:
    kind = type(event)
    if kind is EndRequested:
        return ()
    if kind in PAUSED_BY:
        return (*session.pauses, Pause(PAUSED_BY[kind], event.at))
    if kind in LIFTED_BY:
        lifted = LIFTED_BY[kind]
        return tuple(pause for pause in session.pauses if pause.reason not in lifted)
    return session.pauses


def _connecting(_session: Session, event: ConnectRequested) -> Changes:
    return {"started_at": event.at}


def _ended(session: Session, event: EndRequested) -> Changes:
    return {
        "ended_at": event.at,
        "end_reason": event.reason,
        "error": event.error or session.error,
        "deadline_at": None,
    }


def _utterance(session: Session, event: UtteranceFinished) -> Changes:
    return {
        "utterance_count": session.utterance_count + 1,
        "word_count": session.word_count + event.word_count,
        "message_count": session.message_count + 1,
    }


def _reply(session: Session, _event: ReplyFinished) -> Changes:
    return {"message_count": session.message_count + 1}


def _consent(_session: Session, event: ConsentChanged) -> Changes:
    return {
        "recording_consent": event.given,
        "consent_by": event.by,
        "consent_wording": event.wording,
        "consent_at": event.at,
    }


def _recording(_session: Session, event: RecordingLinked) -> Changes:
    return {"audio_partial": event.partial}


_EFFECTS: Final[Mapping[type[SessionEvent], Callable[[Session, Any], Changes]]] = MappingProxyType(
    {
        ConnectRequested: _connecting,
        EndRequested: _ended,
        UtteranceFinished: _utterance,
        ReplyFinished: _reply,
        ConsentChanged: _consent,
        RecordingLinked: _recording,
    }
)

_SIGNS_OF_LIFE: Final = frozenset(
    {
        ConnectRequested,
        TransportReady,
        PauseRequested,
        ResumeRequested,
        UtteranceFinished,
        ReplyFinished,
    }
)
