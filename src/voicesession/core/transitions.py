"""
The table of a session's life. Pure data.

Everything that decides where a session may go is in TRANSITIONS; everything that decides
which event lifts which pause is in PAUSED_BY and LIFTED_BY. The diagram in the docs is
drawn from these tables, and the tests walk them; nothing else may hold a second copy.

What the table cannot show: an event that lifts a pause leads to LIVE only if no other
reason is left (`life.apply` decides that), and an event that would change nothing is
refused although its cell is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .events import (
    AudioGapFound,
    BudgetLevelReached,
    BudgetRaised,
    BudgetSpent,
    ConnectRequested,
    ConsentChanged,
    DetailsChanged,
    EndRequested,
    LimitRaised,
    LimitReached,
    PauseRequested,
    RecordingLinked,
    ReplyFinished,
    ResumeRequested,
    SessionEvent,
    ShutdownBegan,
    TransportLost,
    TransportReady,
    UtteranceFinished,
    WarningRaised,
    WorkerLost,
    WorkerReady,
)
from .states import PauseReason, SessionState

__all__ = ("LIFTED_BY", "PAUSED_BY", "TRANSITIONS", "allowed", "diagram", "may_follow")

_S = SessionState

PAUSED_BY: Final[Mapping[type[SessionEvent], PauseReason]] = MappingProxyType(
    {
        PauseRequested: PauseReason.USER,
        BudgetSpent: PauseReason.BUDGET_EXHAUSTED,
        TransportLost: PauseReason.DISCONNECTED,
        LimitReached: PauseReason.LIMIT_REACHED,
        WorkerLost: PauseReason.WORKER_LOST,
        ShutdownBegan: PauseReason.SHUTDOWN,
    }
)

LIFTED_BY: Final[Mapping[type[SessionEvent], frozenset[PauseReason]]] = MappingProxyType(
    {
        ResumeRequested: frozenset({PauseReason.USER}),
        BudgetRaised: frozenset({PauseReason.BUDGET_EXHAUSTED}),
        TransportReady: frozenset({PauseReason.DISCONNECTED}),
        LimitRaised: frozenset({PauseReason.LIMIT_REACHED}),
        WorkerReady: frozenset({PauseReason.WORKER_LOST, PauseReason.SHUTDOWN}),
    }
)


def _stay(
    state: SessionState, *events: type[SessionEvent]
) -> dict[type[SessionEvent], SessionState]:
    return dict.fromkeys(events, state)


_DETAILS: Final = (DetailsChanged, ConsentChanged, WarningRaised)
_OUTCOMES: Final = (
    UtteranceFinished,
    ReplyFinished,
    AudioGapFound,
    BudgetLevelReached,
    *_DETAILS,
)

TRANSITIONS: Final[Mapping[SessionState, Mapping[type[SessionEvent], SessionState]]] = (
    MappingProxyType(
        {
            _S.IDLE: {
                ConnectRequested: _S.CONNECTING,
                EndRequested: _S.ENDED,
            },
            _S.CONNECTING: {
                TransportReady: _S.LIVE,
                EndRequested: _S.ENDED,
                **_stay(_S.CONNECTING, *_DETAILS),
            },
            _S.LIVE: {
                **dict.fromkeys(PAUSED_BY, _S.PAUSED),
                EndRequested: _S.ENDED,
                **_stay(_S.LIVE, *_OUTCOMES),
            },
            _S.PAUSED: {
                **_stay(_S.PAUSED, *PAUSED_BY),
                **dict.fromkeys(LIFTED_BY, _S.LIVE),
                EndRequested: _S.ENDED,
                **_stay(_S.PAUSED, *_OUTCOMES),
            },
            # Nothing leaves ENDED. A recovered recording may still be linked to it, and
            # its details may still change.
            _S.ENDED: _stay(_S.ENDED, DetailsChanged, ConsentChanged, RecordingLinked),
        }
    )
)


def allowed(state: SessionState) -> tuple[type[SessionEvent], ...]:
    """Event types that have a cell in the row of *state*, in table order."""
    return tuple(TRANSITIONS[state])


def may_follow(state: SessionState, target: SessionState) -> bool:
    """Whether some event moves a session from *state* to another state, *target*."""
    return target is not state and target in TRANSITIONS[state].values()


def diagram() -> str:
    """Return the moves as a Mermaid ``stateDiagram-v2``; outcomes, which stay, are left out."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.IDLE}"]
    for state, row in TRANSITIONS.items():
        for target in SessionState:
            names = [event.__name__ for event, to in row.items() if to is target is not state]
            if names:
                lines.append(f"    {state} --> {target}: {', '.join(names)}")
    lines.append(f"    {_S.ENDED} --> [*]")
    return "\n".join(lines) + "\n"
