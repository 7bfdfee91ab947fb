"""What was said and answered, turn by turn, and how long each answer took."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from attrs import define

from ..core.floor.effects import FloorChanged, TurnCommitted, TurnReopened
from ..core.states import TurnState
from ..core.utterance import Speaker, Utterance
from ..runtime.happenings import ReplyStarted, UtteranceStored

__all__ = ("Turn", "TurnLog")

_US_PER_MS: Final = 1_000


@define
class Turn:
    """One turn of the caller and its answer.

    Attributes:
        latency_us: From the caller's last sound to the first of the answer; None where
            no answer was heard.
    """

    heard: str
    generated: str = ""
    spoken: str = ""
    interrupted: bool = False
    latency_us: int | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        latency_ms = None if self.latency_us is None else round(self.latency_us / _US_PER_MS)
        return {
            "heard": self.heard,
            "generated": self.generated,
            "spoken": self.spoken,
            "interrupted": self.interrupted,
            "latency_ms": latency_ms,
        }


class TurnLog:
    """Listens to a call and keeps its turns.

    Latency is what the session says of it on its own clock. Where that clock stands still
    while engines compute, the time on the wall from the end of the turn to the first
    sound of the answer is added.
    """

    def __init__(self, wall_us: Callable[[], int] | None) -> None:
        """Prepare.

        Args:
            wall_us: Tells the time on the wall; None where the session's clock does.
        """
        self.turns: list[Turn] = []
        self._wall_us = wall_us
        self._committed_at_us = 0
        self._computed_us = 0
        self._being_heard: deque[Turn] = deque()

    def __call__(self, happening: object) -> None:
        if isinstance(happening, TurnCommitted):
            self.turns.append(Turn(heard=happening.text))
            self._committed_at_us, self._computed_us = self._now_us(), 0
        elif isinstance(happening, TurnReopened):
            self.turns.pop()
        elif isinstance(happening, FloorChanged) and happening.state is TurnState.SPEAKING:
            # The floor is the agent's as soon as there is a sound of it.
            self._computed_us = self._now_us() - self._committed_at_us
        elif isinstance(happening, ReplyStarted):
            self._note_start(happening)
        elif isinstance(happening, UtteranceStored):
            self._note_answer(happening.utterance)

    def _now_us(self) -> int:
        return 0 if self._wall_us is None else self._wall_us()

    def _note_start(self, started: ReplyStarted) -> None:
        turn = self.turns[-1]
        if started.latency_us is not None:
            turn.latency_us = started.latency_us + self._computed_us
        self._being_heard.append(turn)

    def _note_answer(self, utterance: Utterance) -> None:
        if utterance.speaker is Speaker.AGENT:
            # Words are stored a little later than they were said: the next turn may be over.
            turn = self._being_heard.popleft() if self._being_heard else self.turns[-1]
            turn.generated = utterance.generated_text or utterance.text
            turn.spoken = utterance.text
            turn.interrupted = utterance.interrupted
