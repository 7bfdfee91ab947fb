"""
One session, followed by what it tells its listeners.

A turn is a span: from the moment when the user's words are taken as finished until the floor
is the user's again. It names the engines that the turn was answered with.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from opentelemetry.trace import Span

from ...core.floor.effects import FloorChanged, TurnCommitted, TurnReopened
from ...core.session import Session
from ...core.states import SessionState, TurnState
from ..happenings import (
    BudgetLevelPassed,
    EngineChanged,
    EngineFailed,
    EnginesJoined,
    EngineUsed,
    Failed,
    RecorderDegraded,
    ReplyCleared,
    ReplyStarted,
    SessionChanged,
    Stage,
)
from ..record import Running
from .reporting import Telemetry, seconds, state_of

__all__ = ("SessionWatch", "TurnOutcome", "providers_of")

_NONE: Final[Mapping[Stage, str]] = MappingProxyType({})
_OVER: Final = frozenset({TurnState.LISTENING, TurnState.AWAY, TurnState.ENDED})


class TurnOutcome(StrEnum):
    """What became of a turn. The values are labels; never rename one."""

    ANSWERED = "answered"
    INTERRUPTED = "interrupted"
    """By the user, by the host, or because the session was stopped."""
    UNANSWERED = "unanswered"
    """Nothing was heard of an answer: it failed, or there was none."""
    REOPENED = "reopened"
    """The user went on before the answer was heard."""
    BROKEN_OFF = "broken_off"
    """The session stood still or was lost before the answer was over."""


class SessionWatch:
    """A listener that turns what it is told into measurements and spans.

    Args:
        running: What the owner counts of the session.
    """

    __slots__ = (
        "_engines",
        "_instruments",
        "_outcome",
        "_running",
        "_session",
        "_spent_us",
        "_telemetry",
        "_turn",
    )

    def __init__(self, telemetry: Telemetry, session: Session, running: Running) -> None:
        self._telemetry = telemetry
        self._instruments = telemetry.instruments
        self._session = session
        self._running = running
        self._spent_us = running.audio_used_us
        self._engines: Mapping[Stage, str] = _NONE
        self._turn: Span | None = None
        self._outcome = TurnOutcome.UNANSWERED

    @property
    def follows(self) -> Container[type]:
        """What `follow` is to be told of."""
        return _TAKEN

    def follow(self, happening: object) -> None:
        """Take what has happened, which is of a kind that it follows."""
        _TAKEN[type(happening)](self, happening)

    def begin(self) -> None:
        """Count the session among those that are run here."""
        self._instruments.active.add(1)

    def sample(self) -> None:
        """Count what was spent since the last look."""
        spent_us = self._running.audio_used_us - self._spent_us
        if spent_us > 0:
            self._spent_us += spent_us
            self._instruments.budget_used.add(seconds(spent_us))

    def end(self) -> None:
        """Count it no more: it is not run here any longer."""
        self._close_turn(TurnOutcome.BROKEN_OFF)
        self.sample()
        self._instruments.active.add(-1)

    # --- what is told -------------------------------------------------------------------------

    def session_changed(self, change: SessionChanged) -> None:
        self._session = change.after
        self._telemetry.changed(change.before, change.after)
        if change.after.state is not SessionState.LIVE:
            self._close_turn(TurnOutcome.BROKEN_OFF)

    def engines_joined(self, joined: EnginesJoined) -> None:
        self._engines = joined.engines

    def engine_changed(self, change: EngineChanged) -> None:
        self._engines = {**self._engines, change.stage: change.after}
        labels = {"stage": change.stage, "because": change.because, "provider": change.after}
        self._instruments.engine_changes.add(1, labels)

    def engine_failed(self, failure: EngineFailed) -> None:
        self._telemetry.failed(failure.error, source=failure.stage)

    def engine_used(self, usage: EngineUsed) -> None:
        labels = {"provider": usage.engine.engine, "wasted": str(usage.wasted).lower()}
        for meter, amount in usage.used.items():
            self._instruments.engine_used.add(amount, {**labels, "meter": meter})

    def failed(self, failure: Failed) -> None:
        self._telemetry.failed(failure.error, source="session")

    def turn_committed(self, _: TurnCommitted) -> None:
        self._close_turn(self._outcome)
        self._outcome = TurnOutcome.UNANSWERED
        self._turn = self._telemetry.tracer.start_span(
            "session.turn", attributes=state_of(self._session)
        )

    def turn_reopened(self, _: TurnReopened) -> None:
        self._close_turn(TurnOutcome.REOPENED)

    def reply_started(self, started: ReplyStarted) -> None:
        self._outcome = TurnOutcome.ANSWERED
        if started.latency_us is not None:
            self._instruments.response_latency.record(seconds(started.latency_us))
        if self._turn is not None:
            self._turn.add_event("reply.started")

    def reply_cleared(self, _: ReplyCleared) -> None:
        self._outcome = TurnOutcome.INTERRUPTED

    def floor_changed(self, change: FloorChanged) -> None:
        if change.state in _OVER:
            self._close_turn(self._outcome)

    def budget_level_passed(self, passed: BudgetLevelPassed) -> None:
        line = passed.standing.line
        labels = {
            "meter": line.meter,
            "scope": line.account.scope,
            "level": passed.standing.level,
        }
        self._instruments.budget_levels.add(1, labels)

    def recorder_degraded(self, degraded: RecorderDegraded) -> None:
        self._instruments.recording_problems.add(1, {"kind": degraded.problem.kind})

    def _close_turn(self, outcome: TurnOutcome) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        # Who is at work by now: another engine may have taken over in between.
        turn.set_attributes({"outcome": outcome, **providers_of(self._engines)})
        turn.end()
        self._instruments.turns.add(1, {"outcome": outcome})


def providers_of(engines: Mapping[Stage, str]) -> dict[str, str]:
    """Return how a span names *engines*: who answers is the ``provider``."""
    return {
        "provider" if stage is Stage.AGENT else f"provider.{stage}": engine
        for stage, engine in engines.items()
    }


_TAKEN: Final[Mapping[type[Any], Callable[[SessionWatch, Any], None]]] = MappingProxyType(
    {
        SessionChanged: SessionWatch.session_changed,
        EnginesJoined: SessionWatch.engines_joined,
        EngineChanged: SessionWatch.engine_changed,
        EngineFailed: SessionWatch.engine_failed,
        EngineUsed: SessionWatch.engine_used,
        Failed: SessionWatch.failed,
        TurnCommitted: SessionWatch.turn_committed,
        TurnReopened: SessionWatch.turn_reopened,
        ReplyStarted: SessionWatch.reply_started,
        ReplyCleared: SessionWatch.reply_cleared,
        FloorChanged: SessionWatch.floor_changed,
        BudgetLevelPassed: SessionWatch.budget_level_passed,
        RecorderDegraded: SessionWatch.recorder_degraded,
    }
)
