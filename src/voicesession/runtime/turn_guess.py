"""Asking a turn detector whether the user has finished, each time that more was said."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from ..ports.speech import TurnDetector, TurnSoFar
from .engines import as_provider_error
from .happenings import EngineFailed, Stage
from .history import History

__all__ = ("TurnGuess",)


class TurnGuess:
    """One question at a time; a newer one takes the place of the one before.

    Args:
        take: Called with each answer: how likely it is that the user has finished.
        tell: Told of a detector that fails; silence decides then.
    """

    __slots__ = ("_asking", "_detector", "_history", "_language", "_take", "_tasks", "_tell")

    def __init__(
        self,
        detector: TurnDetector,
        tasks: TaskGroup,
        history: History,
        language: str,
        *,
        take: Callable[[float], None],
        tell: Callable[[object], None],
    ) -> None:
        self._detector = detector
        self._tasks = tasks
        self._history = history
        self._language = language
        self._take = take
        self._tell = tell
        self._asking: anyio.CancelScope | None = None

    def more_was_said(self, interim: str = "") -> None:
        """Ask about the present turn, with *interim* words behind its final ones."""
        self.forget()
        text = " ".join(filter(None, [self._history.present_text, interim]))
        if text:
            turn = TurnSoFar(
                text=text,
                language=self._language,
                is_final=not interim,
                asked=self._history.last_reply,
            )
            self._asking = anyio.CancelScope()
            self._tasks.start_soon(self._ask, self._detector, turn, self._asking)

    def forget(self) -> None:
        """Take that the last question does not matter any more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, detector: TurnDetector, turn: TurnSoFar, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                probability = await detector.probability(turn)
            except Exception as error:  # noqa: BLE001 - a detector may be the host's own
                failure = as_provider_error(detector.name, error)
                self._tell(EngineFailed(Stage.TURNS, failure))
            else:
                self._take(probability)
