"""
What a live session tells its listeners.

Facts of the floor arrive as the core states them (`voicesession.core.floor.effects`:
FloorChanged, SpeechStarted, SpeechEnded, PartialHeard, Interrupted …); the ones below are
the runtime's own. Listeners are plain functions, called in the session's event loop in
the order in which things happen; they must be quick, and a listener that raises is
logged and does not disturb the session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from attrs import field, frozen

from ..core.errors import VoiceSessionError
from ..core.session import Session
from ..core.utterance import Utterance

__all__ = (
    "Failed",
    "Listener",
    "Listeners",
    "ReplyCleared",
    "ReplyStarted",
    "SessionChanged",
    "UtteranceStored",
)

logger = logging.getLogger("voicesession")

Listener: TypeAlias = Callable[[object], None]


@frozen
class SessionChanged:
    """The stored session has moved on, by this worker or another."""

    before: Session
    after: Session


@frozen
class UtteranceStored:
    """An utterance is durable; only now may a client be told that it is final."""

    utterance: Utterance


@frozen(kw_only=True)
class ReplyStarted:
    """The first audio of a reply is due.

    Attributes:
        latency_us: Since the user fell silent; None where nobody had spoken. On the axis
            of the session's clock.
    """

    reply_id: int
    latency_us: int | None = None


@frozen
class ReplyCleared:
    """What is unplayed of a reply is void: empty the client's buffer."""

    reply_id: int


@frozen
class Failed:
    """Something failed and the session goes on without it."""

    error: VoiceSessionError = field(eq=False)


class Listeners:
    """Who wants to hear about one session."""

    def __init__(self) -> None:
        self._all: list[Listener] = []

    def add(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* from now on; the function that comes back stops that."""
        self._all.append(listener)
        return lambda: self._all.remove(listener)

    def tell(self, happening: object) -> None:
        """Call every listener."""
        for listener in tuple(self._all):
            try:
                listener(happening)
            except Exception:  # somebody else's code must not stop the audio
                logger.exception("a listener failed on %s", type(happening).__name__)
