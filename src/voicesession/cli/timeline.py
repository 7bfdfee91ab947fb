"""What happens in a call, a line for each thing, as it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from ..core.floor import effects as floor
from ..core.session import Session
from ..core.states import TurnState
from ..core.utterance import Speaker, Utterance
from ..runtime.happenings import (
    AudioUnheard,
    BudgetLevelPassed,
    EngineBarred,
    EngineChanged,
    EngineFailed,
    EngineSlow,
    Failed,
    RecorderDegraded,
    ReplyCleared,
    ReplyStarted,
    SessionChanged,
    ToolCalled,
    UtteranceStored,
)

__all__ = ("Timeline", "clock_face")

_US_PER_S: Final = 1_000_000
_FLOOR: Final[Mapping[TurnState, str]] = MappingProxyType(
    {
        TurnState.LISTENING: "the caller has the floor",
        TurnState.PROCESSING: "the agent thinks",
        TurnState.SPEAKING: "the agent has the floor",
        TurnState.AWAY: "nobody seems to be there",
    }
)


class Timeline:
    """Listens to a call and prints: media time, who, what.

    Args:
        media_us: Tells where the session stands on its axis of time.
    """

    def __init__(self, console: Console, media_us: Callable[[], int]) -> None:
        self._console = console
        self._media_us = media_us
        self._partial = ""

    def begin(self, session: Session) -> None:
        """Print that *session* is LIVE: it was so before anybody could listen."""
        audio = session.audio_format
        self._print("session", f"[bold]{session.state}[/]  {session.id}, {audio.sample_rate} Hz")

    def __call__(self, happening: object) -> None:
        kind = type(happening)
        if kind in _SHOWN:
            _SHOWN[kind](self, happening)

    def session_changed(self, change: SessionChanged) -> None:
        before, after = change.before, change.after
        if before.state is not after.state:
            reasons = ", ".join(sorted(after.pause_reasons))
            why = f", {after.end_reason or reasons}" if after.end_reason or reasons else ""
            self._print("session", f"{before.state} → [bold]{after.state}[/]{why}")

    def speech_started(self, _: floor.SpeechStarted) -> None:
        self._partial = ""
        self._print("caller", "[dim]speaks[/]")

    def partial(self, heard: floor.PartialHeard) -> None:
        if heard.text != self._partial:
            self._partial = heard.text
            self._print("caller", f"[dim]{escape(heard.text)} …[/]")

    def turn_reopened(self, _: floor.TurnReopened) -> None:
        self._print("caller", "[dim]goes on[/]")

    def away(self, away: floor.UserAway) -> None:
        self._print("floor", f"nothing but {away.because}")

    def floor_changed(self, change: floor.FloorChanged) -> None:
        # That the floor is closed shows in the state of the session.
        if change.state in _FLOOR:
            self._print("floor", f"[dim]{_FLOOR[change.state]}[/]")

    def held(self, _: floor.HoldSpeech) -> None:
        self._print("agent", "[yellow]falls silent to listen[/]")

    def released(self, _: floor.ReleaseSpeech) -> None:
        self._print("agent", "[yellow]goes on[/]")

    def cleared(self, _: ReplyCleared) -> None:
        self._print("barge-in", "[bold yellow]the caller takes the floor[/]")

    def reply_started(self, started: ReplyStarted) -> None:
        waited = started.latency_us
        after = (
            "" if waited is None else f" {waited / _US_PER_S:.2f} s after the caller fell silent"
        )
        self._print("agent", f"[dim]speaks{after}[/]")

    def stored(self, stored: UtteranceStored) -> None:
        utterance = stored.utterance
        if utterance.speaker is Speaker.USER:
            self._print("caller", f"[bold cyan]{escape(utterance.text)}[/]")
        else:
            self._print("agent", _heard_and_not(utterance))

    def budget_passed(self, passed: BudgetLevelPassed) -> None:
        standing = passed.standing
        share = standing.utilization or 0
        limit = "" if standing.limit is None else f" of {clock_face(standing.limit.amount)}"
        self._print("budget", f"[yellow]{float(share):.0%}{limit} is spent[/]")

    def tool_called(self, call: ToolCalled) -> None:
        changes = ", which changes something" if call.side_effects else ""
        self._print("agent", f"[dim]calls {escape(call.name)}{changes}[/]")

    def engine_failed(self, failure: EngineFailed) -> None:
        self._print("engine", f"[yellow]{failure.stage}: {escape(str(failure.error))}[/]")

    def engine_barred(self, barred: EngineBarred) -> None:
        self._print(
            "engine",
            f"[yellow]{barred.stage}: {escape(barred.engine)} is left alone for a while[/]",
        )

    def engine_changed(self, change: EngineChanged) -> None:
        what = f"{escape(change.before)} → {escape(change.after)}, {change.because}"
        self._print("engine", f"{change.stage}: {what}")

    def engine_slow(self, slow: EngineSlow) -> None:
        lag_s = slow.lag_us / _US_PER_S
        self._print(
            "engine", f"[yellow]{slow.stage}: waited {lag_s:.1f} s for {escape(slow.engine)}[/]"
        )

    def unheard(self, lost: AudioUnheard) -> None:
        lost_s = (lost.end_us - lost.start_us) / _US_PER_S
        self._print("problem", f"[red]{lost_s:.1f} s of the caller were heard by nobody[/]")

    def recorder_degraded(self, degraded: RecorderDegraded) -> None:
        self._print("problem", f"[red]the recording is not whole: {degraded.problem.kind}[/]")

    def failed(self, failure: Failed) -> None:
        self._print("problem", f"[red]{escape(str(failure.error))}[/]")

    def _print(self, who: str, what: str) -> None:
        self._console.print(
            f"[dim]{clock_face(self._media_us())}[/]  {who:<8}  {what}",
            highlight=False,
            soft_wrap=True,
        )


def clock_face(duration_us: int) -> str:
    """Return a duration as minutes and seconds, ``02:03.45``."""
    minutes, rest_us = divmod(duration_us, 60 * _US_PER_S)
    return f"{minutes:02}:{rest_us / _US_PER_S:05.2f}"


def _heard_and_not(utterance: Utterance) -> str:
    said = f"[bold green]{escape(utterance.text)}[/]"
    if not utterance.interrupted:
        return said
    unheard = (utterance.generated_text or "").removeprefix(utterance.text)
    return f"{said}[yellow] ⟨not heard: {escape(' '.join(unheard.split()))}⟩[/]"


_SHOWN: Final[Mapping[type[Any], Callable[[Timeline, Any], None]]] = MappingProxyType(
    {
        SessionChanged: Timeline.session_changed,
        floor.SpeechStarted: Timeline.speech_started,
        floor.PartialHeard: Timeline.partial,
        floor.TurnReopened: Timeline.turn_reopened,
        floor.UserAway: Timeline.away,
        floor.FloorChanged: Timeline.floor_changed,
        floor.HoldSpeech: Timeline.held,
        floor.ReleaseSpeech: Timeline.released,
        ReplyCleared: Timeline.cleared,
        ReplyStarted: Timeline.reply_started,
        UtteranceStored: Timeline.stored,
        ToolCalled: Timeline.tool_called,
        EngineFailed: Timeline.engine_failed,
        EngineBarred: Timeline.engine_barred,
        EngineChanged: Timeline.engine_changed,
        EngineSlow: Timeline.engine_slow,
        AudioUnheard: Timeline.unheard,
        RecorderDegraded: Timeline.recorder_degraded,
        BudgetLevelPassed: Timeline.budget_passed,
        Failed: Timeline.failed,
    }
)
