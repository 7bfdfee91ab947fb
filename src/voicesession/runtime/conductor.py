"""
Between the floor and the engines: facts go in, and what the floor wants is done.

The core decides who speaks; this only carries it out, in the order in which it is said,
by plain calls. Nothing in here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from ..core.errors import LeaseLost, StoreUnavailable
from ..core.floor import effects as floor
from ..core.floor.conversation import Conversation
from ..core.floor.effects import Effects, ReplyId
from ..core.snapshots import changed
from ..core.states import SessionState, TurnState
from ..core.utterance import Speaker, Utterance
from ..ports.agent import Prompt
from ..ports.speech import (
    Endpoint,
    Final as FinalWords,
    Flushed,
    Interim,
    Recognition,
    TurnDetector,
)
from .crew import Crew
from .ears import Ears
from .handle import SessionHandle
from .happenings import Failed, LiveAlready, SessionChanged
from .history import History
from .mouth import Mouth
from .outbox import Outbox
from .pipeline import SessionConfig
from .playout import AgentAudio
from .services import Services
from .speech_handle import SpeechHandle
from .turn_guess import TurnGuess

__all__ = ("Conductor",)

_LAST_WORDS_TAKE_AT_MOST_S: Final = 5.0
_REPLIES_OF_AN_OWNER: Final = 1_000_000
"""So that the ids of one owner's replies are never those of another's."""


class Conductor:
    """Leads one conversation with its engines.

    Args:
        hang_up: Called once the agent's last words have been heard.

    Attributes:
        follows: What `follow` is to be told of.
    """

    follows: ClassVar[frozenset[type]] = frozenset({Failed, LiveAlready, SessionChanged})

    def __init__(
        self,
        handle: SessionHandle,
        crew: Crew,
        services: Services,
        config: SessionConfig,
        tasks: TaskGroup,
        ears: Ears,
        hang_up: Callable[[], object],
    ) -> None:
        replies_before = (handle.ownership.epoch - 1) * _REPLIES_OF_AN_OWNER
        self.floor = Conversation(config.floor, replies_before=replies_before)
        self.ears = ears
        self.mouth = Mouth(tasks, crew, services.clock, handle, self, config.unplayed_us)
        self.outbox = Outbox(
            handle.final,
            services.clock,
            tasks,
            capacity=config.unstored,
            tell=handle.tell,
        )
        self._handle = handle
        self._services = services
        self._hang_up = hang_up
        self._history = History(config.history)
        self._turns = self._guessing(crew.turns, tasks)
        self._speeches: dict[ReplyId, SpeechHandle] = {}

    def remember(self, utterances: Iterable[Utterance]) -> None:
        """Tell the agent of what was said before this conversation went on."""
        self._history.add(utterances)

    # --- facts ----------------------------------------------------------------------------

    def hear(self, pcm: bytes, at_us: int) -> None:
        """Take the caller's audio, which the session has accepted; *at_us* is its start."""
        for window_end_us, probability in self.ears.hear(pcm, at_us):
            if wanted := self.floor.voice(window_end_us, probability):
                self.carry_out(wanted)
        timer_us = self.floor.next_timer_us
        if timer_us is not None and timer_us <= self._handle.media_us:
            self.carry_out(self.floor.tick(self._handle.media_us))

    def take_words(self, result: Recognition) -> None:
        """Take what the recogniser says."""
        step = _STEPS.get(type(result))
        if step is not None:
            self.carry_out(step(self.floor, self._handle.media_us, result))

    def typed(self, text: str) -> None:
        """Take a typed turn."""
        self.mouth.silent_since_us = self._services.clock.monotonic_us()
        self.carry_out(self.floor.typed(self._handle.media_us, text))

    def say(
        self, text: str, *, interruptible: bool, speech: SpeechHandle | None = None
    ) -> SpeechHandle:
        """Have *text* spoken; *speech* tells of it, where it was promised before."""
        speech = speech or SpeechHandle()
        if speech.is_over:  # nobody wants it any more
            return speech
        wanted = self.floor.say(self._handle.media_us, text, interruptible)
        begun = next((e.reply_id for e in wanted if isinstance(e, floor.BeginSay)), None)
        speech.begin(begun, interrupt=self.interrupt)
        if begun is not None:
            self._speeches[begun] = speech
        self.carry_out(wanted)
        return speech

    def interrupt(self) -> None:
        """Take the floor from the agent."""
        self.carry_out(self.floor.interrupt(self._handle.media_us))

    def played(self, piece: AgentAudio) -> None:
        """Take that *piece* has been heard."""
        self.carry_out(self.floor.playout(self._handle.media_us, piece.reply_id, piece.end_us))

    def follow(self, happening: object) -> None:
        """Keep the floor in step with the life of the session, whoever moves that."""
        if isinstance(happening, Failed) and isinstance(happening.error, LeaseLost):
            self.close()
        elif isinstance(happening, SessionChanged):
            before, after = happening.before.state, happening.after.state
            if after is SessionState.ENDED:
                self.close()
            elif before is SessionState.LIVE is not after:
                self.hush()
            elif after is SessionState.LIVE is not before:
                first = self.floor.state is TurnState.INITIAL
                step = self.floor.start if first else self.floor.resume
                self.carry_out(step(self._handle.media_us))
        elif isinstance(happening, LiveAlready) and self.floor.state is TurnState.INITIAL:
            self.carry_out(self.floor.start(self._handle.media_us))

    @property
    def is_idle(self) -> bool:
        """Whether no answer is awaited, of an engine or of the store."""
        return self._handle.is_over or not (
            self.ears.recogniser.busy or self.mouth.busy or self.outbox
        )

    async def idle(self) -> None:
        """Return once that is so for everything that was heard until now."""
        self.ears.recogniser.mark()
        while not self.is_idle:
            await self.ears.recogniser.busy.idle()
            await self.mouth.busy.idle()
            await self.outbox.empty()
            await checkpoint()

    def hush(self) -> None:
        """Close the floor for now: nobody speaks, and the last words may still come."""
        self.carry_out(self.floor.pause(self._handle.media_us))

    async def drain(self) -> None:
        """Close the floor, take the words that the recogniser still holds, and store them all.

        Both may fail to come to an end, and what the session owes besides must not wait for them.
        """
        self.hush()
        with anyio.move_on_after(_LAST_WORDS_TAKE_AT_MOST_S):
            await self.ears.recogniser.busy.idle()
        self.close()
        with anyio.move_on_after(_LAST_WORDS_TAKE_AT_MOST_S):
            await self.outbox.empty()
        if self.outbox:
            self._handle.tell(Failed(StoreUnavailable(f"{len(self.outbox)} utterances were lost")))

    def close(self) -> None:
        """Close the floor for good; whoever waits for audio learns that there is no more."""
        self.carry_out(self.floor.end(self._handle.media_us))
        self.mouth.note_change()

    # --- effects --------------------------------------------------------------------------

    def carry_out(self, wanted: Effects) -> None:
        """Do what the floor wants, in its order."""
        for effect in wanted:
            kind = type(effect)
            if kind in _TOLD:
                self._handle.tell(_as_told(effect, self._handle.redacted))
            if kind in _CARRIED_OUT:
                _CARRIED_OUT[kind](self, effect)

    def begin_reply(self, effect: floor.BeginReply) -> None:
        prompt = Prompt(
            text=effect.text,
            session=self._handle.session,
            history=self._history.before_turn(is_over=not effect.speculative),
            at=self._services.clock.now(),
            elapsed=timedelta(microseconds=self._handle.media_us),
        )
        self.mouth.answer(effect.reply_id, prompt, speculative=effect.speculative)

    def cancel_reply(self, effect: floor.CancelReply) -> None:
        self.mouth.forget(effect.reply_id)
        self._finish_speech(effect.reply_id, "", interrupted=True)

    def end_reply(self, effect: floor.ReplyEnded) -> None:
        hangs_up = self.mouth.hangs_up_after(effect.reply_id)
        self.mouth.forget(effect.reply_id)
        self._finish_speech(effect.reply_id, effect.spoken_text, interrupted=effect.interrupted)
        if effect.generated_text:
            spoken = Utterance(
                id=self._services.new_utterance_id(),
                speaker=Speaker.AGENT,
                start_us=effect.start_us,
                end_us=effect.end_us,
                text=effect.spoken_text,
                generated_text=effect.generated_text,
                spoken_text=effect.spoken_text,
                interrupted=effect.interrupted,
            )
            self._history.add([spoken])
            self.outbox.post(spoken)
        if hangs_up and not effect.interrupted:
            self._hang_up()

    def keep_words(self, effect: floor.UtteranceHeard) -> None:
        said = Utterance(
            id=self._services.new_utterance_id(),
            speaker=Speaker.USER,
            start_us=effect.start_us,
            end_us=effect.end_us,
            text=effect.text,
            confidence=effect.confidence,
            words=effect.words,
        )
        self._history.heard(said)
        self.outbox.post(said)
        if self._turns is not None:
            self._turns.more_was_said()

    def keep_partial(self, effect: floor.PartialHeard) -> None:
        self._handle.partial(effect.text)
        if self._turns is not None:
            self._turns.more_was_said(effect.text)

    def note_voice(self, _effect: floor.SpeechStarted) -> None:
        self.ears.recogniser.voice(is_on=True)

    def note_silence(self, effect: floor.SpeechEnded) -> None:
        self.ears.recogniser.voice(is_on=False)
        silence_us = self._handle.media_us - effect.at_us
        self.mouth.silent_since_us = self._services.clock.monotonic_us() - silence_us

    def commit_turn(self, _effect: floor.TurnCommitted) -> None:
        if self._turns is not None:
            self._turns.forget()
        self._history.turn_committed()

    def reopen_turn(self, _effect: floor.TurnReopened) -> None:
        self._history.turn_reopened()

    def _guessing(self, detector: TurnDetector | None, tasks: TaskGroup) -> TurnGuess | None:
        """Return who asks *detector*; without one silence alone decides."""
        if detector is None:
            return None
        return TurnGuess(
            detector,
            tasks,
            self._history,
            self._handle.session.language,
            take=self._take_guess,
            tell=self._handle.tell,
        )

    def _take_guess(self, probability: float) -> None:
        self.carry_out(self.floor.turn_probability(self._handle.media_us, probability))

    def _finish_speech(self, reply_id: ReplyId, spoken: str, *, interrupted: bool) -> None:
        if (speech := self._speeches.pop(reply_id, None)) is not None:
            speech.finish(spoken, interrupted=interrupted)


def _as_told(effect: floor.Effect, redacted: Callable[[str], str]) -> floor.Effect:
    """Return *effect* as listeners may know it."""
    words = _WORDS_OF.get(type(effect))
    if words is None:
        return effect
    return changed(effect, **{name: redacted(getattr(effect, name)) for name in words})


def _interim(conversation: Conversation, at_us: int, heard: Interim) -> Effects:
    return conversation.interim(at_us, heard.text, heard.start_us, heard.end_us, heard.words)


def _final(conversation: Conversation, at_us: int, heard: FinalWords) -> Effects:
    return conversation.final(
        at_us, heard.text, heard.start_us, heard.end_us, heard.confidence, heard.words
    )


_STEPS: Final[Mapping[type[Any], Callable[[Conversation, int, Any], Effects]]] = MappingProxyType(
    {
        Interim: _interim,
        FinalWords: _final,
        Endpoint: lambda conversation, at_us, heard: conversation.endpoint(at_us, heard.at_us),
        Flushed: lambda conversation, at_us, _: conversation.flushed(at_us),
    }
)
"""What the floor is told of what the recogniser says."""

_TOLD: Final = frozenset(
    {
        floor.SpeechStarted,
        floor.SpeechEnded,
        floor.PartialHeard,
        floor.TurnCommitted,
        floor.TurnReopened,
        floor.TurnTooLong,
        floor.UserAway,
        floor.FloorChanged,
        floor.CancelReply,
        floor.ReplyEnded,
        floor.HoldSpeech,
        floor.ReleaseSpeech,
    }
)
"""What listeners hear of the floor. Words come by UtteranceStored, once they are durable."""

_WORDS_OF: Final[Mapping[type[floor.Effect], tuple[str, ...]]] = MappingProxyType(
    {
        floor.PartialHeard: ("text",),
        floor.TurnCommitted: ("text",),
        floor.ReplyEnded: ("generated_text", "spoken_text"),
    }
)
"""Which fields hold what somebody said."""

_CARRIED_OUT: Final[Mapping[type[Any], Callable[[Conductor, Any], None]]] = MappingProxyType(
    {
        floor.BeginReply: Conductor.begin_reply,
        floor.CommitReply: lambda self, effect: self.mouth.commit(effect.reply_id),
        floor.BeginSay: lambda self, effect: self.mouth.say(effect.reply_id, effect.text),
        floor.CancelReply: Conductor.cancel_reply,
        floor.ReplyEnded: Conductor.end_reply,
        floor.UtteranceHeard: Conductor.keep_words,
        floor.PartialHeard: Conductor.keep_partial,
        floor.SpeechStarted: Conductor.note_voice,
        floor.SpeechEnded: Conductor.note_silence,
        floor.CutUtterance: lambda self, effect: self.ears.recogniser.cut(effect.at_us),
        floor.TurnCommitted: Conductor.commit_turn,
        floor.TurnReopened: Conductor.reopen_turn,
        floor.FlushRecogniser: lambda self, _: self.ears.recogniser.flush(),
        floor.StartSpeech: lambda self, effect: self.mouth.start(effect.reply_id),
        floor.HoldSpeech: lambda self, _: self.mouth.hold(),
        floor.ReleaseSpeech: lambda self, _: self.mouth.release(),
        floor.StopSpeech: lambda self, effect: self.mouth.stop(effect.reply_id),
    }
)
