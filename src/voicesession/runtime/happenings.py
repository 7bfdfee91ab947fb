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
from collections.abc import Callable, Container, Mapping
from enum import StrEnum
from functools import partial
from typing import TypeAlias

from attrs import field, frozen

from ..core.accounts import Standing
from ..core.errors import ProviderError, VoiceSessionError
from ..core.journal import JournalEntry
from ..core.meters import Meter
from ..core.session import Session
from ..core.states import SessionState
from ..core.utterance import Utterance
from ..ports.prices import EngineModel
from ..ports.recording import RecordingProblem

__all__ = (
    "AudioUnheard",
    "BudgetLevelPassed",
    "BudgetRanOut",
    "ChangeReason",
    "EngineBarred",
    "EngineChanged",
    "EngineFailed",
    "EngineSlow",
    "EngineUsed",
    "EnginesJoined",
    "EventsMissed",
    "Failed",
    "KeepAlive",
    "Listener",
    "Listeners",
    "LiveAlready",
    "RecorderDegraded",
    "ReplyCleared",
    "ReplyStarted",
    "SessionChanged",
    "Stage",
    "ToolCalled",
    "UtteranceStored",
    "new_states",
)

logger = logging.getLogger("voicesession")

Listener: TypeAlias = Callable[[object], None]


@frozen
class SessionChanged:
    """The stored session has moved on, by this worker or another.

    Attributes:
        entries: What the journal has between the two.
    """

    before: Session
    after: Session
    entries: tuple[JournalEntry, ...] = ()

    @property
    def new_state(self) -> SessionState | None:
        """The state that it has come to by this; None where that is the same as before."""
        return None if self.after.state is self.before.state else self.after.state


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


@frozen(kw_only=True)
class ToolCalled:
    """The agent may call a tool now, and does; what it is called with is not told."""

    reply_id: int
    name: str
    side_effects: bool


@frozen
class ReplyCleared:
    """What is unplayed of a reply is void: empty the client's buffer."""

    reply_id: int


@frozen
class Failed:
    """Something failed and the session goes on without it."""

    error: VoiceSessionError = field(eq=False)


@frozen
class BudgetLevelPassed:
    """A limit that the session spends from has come to a higher level: warned, or exhausted.

    Each armed limit tells each level once. At exhaustion the session pauses by itself.
    """

    standing: Standing


@frozen
class BudgetRanOut:
    """Nothing is left to spend, whoever spent it: the session pauses now or in a moment.

    Attributes:
        exhausted: The limits of which nothing is left. None of them where money is limited and
            nobody knows what an engine costs.
    """

    exhausted: tuple[Standing, ...]


class Stage(StrEnum):
    """What an engine does. The values go on the wire; never rename one."""

    STT = "stt"
    TTS = "tts"
    AGENT = "agent"
    TURNS = "turns"


class ChangeReason(StrEnum):
    """Why another engine, or another stream of the same one, has taken over."""

    FAILURE = "failure"
    """The one before failed."""
    RECOVERY = "recovery"
    """It is the better one, and works again."""
    ROLLOVER = "rollover"
    """The stream before would soon have reached its engine's limit."""


@frozen
class EnginesJoined:
    """These engines are to lead the conversation, the first of each chain, by their names."""

    engines: Mapping[Stage, str]


@frozen
class EngineFailed:
    """An engine failed; it is asked again, or the next one is.

    Nothing is lost by this yet: what cannot be made good is a `Failed`, later.
    """

    stage: Stage
    error: ProviderError = field(eq=False)


@frozen
class EngineBarred:
    """An engine has failed so often that no session asks it for a while."""

    stage: Stage
    engine: str


@frozen(kw_only=True)
class EngineChanged:
    """The work of a stage goes on with another engine, or another stream of the same.

    Attributes:
        model: Of the engine ``after``, where it has one.
    """

    stage: Stage
    before: str
    after: str
    because: ChangeReason
    model: str | None = None


@frozen(kw_only=True)
class EngineSlow:
    """An engine has kept the session waiting for *lag_us*; nothing is lost by this yet."""

    stage: Stage
    engine: str
    lag_us: int


@frozen(kw_only=True)
class EngineUsed:
    """An engine has used something that its vendor bills.

    Attributes:
        wasted: It was for a reply that was begun too early, and that nobody wanted in the end.
    """

    stage: Stage
    engine: EngineModel
    used: Mapping[Meter, int]
    wasted: bool = False


@frozen(kw_only=True)
class AudioUnheard:
    """Audio of the caller that no recogniser will hear: it waited longer than it may.

    Attributes:
        start_us: Media time, as is ``end_us``.
    """

    start_us: int
    end_us: int


@frozen
class RecorderDegraded:
    """Something is missing from the recording, for a reason that is new; it goes on."""

    problem: RecordingProblem


@frozen
class LiveAlready:
    """The owner has begun with a session that was LIVE before: nothing of it has changed."""


@frozen
class KeepAlive:
    """The session is well; for a transport that has to say something to stay open."""


@frozen
class EventsMissed:
    """Who iterates over the events was too slow, and so many of them were dropped here."""

    count: int


class Listeners:
    """Who wants to hear about one session."""

    # Two lists, not one of pairs: a session has eight listeners for as long as it lasts.
    __slots__ = ("_all", "_kinds")

    def __init__(self) -> None:
        self._all: list[Listener] = []
        self._kinds: list[Container[type] | None] = []

    def add(
        self, listener: Listener, *, kinds: Container[type] | None = None
    ) -> Callable[[], None]:
        """Call *listener* from now on; the function that comes back stops that.

        Args:
            kinds: The classes of what it wants to hear; None for whatever happens.
        """
        self._all.append(listener)
        self._kinds.append(kinds)
        return partial(self.remove, listener)

    def remove(self, listener: Listener) -> None:
        """Call *listener*, which was added, no more."""
        place = self._all.index(listener)
        del self._all[place], self._kinds[place]

    def tell(self, happening: object) -> None:
        """Call every listener that wants to hear of it."""
        kind = type(happening)
        for listener, kinds in zip(tuple(self._all), tuple(self._kinds), strict=True):
            if kinds is None or kind in kinds:
                try:
                    listener(happening)
                except Exception:  # somebody else's code must not stop the audio
                    logger.exception("a listener failed on %s", kind.__name__)


def new_states(callback: Callable[[SessionState], object]) -> Listener:
    """Return a listener that hands each new state of the session to *callback*."""

    def listen(happening: object) -> None:
        if isinstance(happening, SessionChanged) and happening.new_state is not None:
            callback(happening.new_state)

    return listen
