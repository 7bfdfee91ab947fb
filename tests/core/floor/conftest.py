"""Conversations as they are told: somebody speaks, somebody answers, time passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from voicesession.core.floor.config import FloorConfig, PreemptionConfig, PreemptionStrategy
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.effects import BeginReply, BeginSay, Effect, Effects, ReplyId
from voicesession.core.states import TurnState
from voicesession.core.utterance import Word
from voicesession.testing.machine_floor import FloorWitness

WINDOW_US = 10_000


class Dialogue:
    """A conversation under the eyes of a witness; times are seconds.

    Attributes:
        told: What the last fact came to.
        effects: What all facts came to.
    """

    def __init__(self, config: FloorConfig) -> None:
        self.conversation = Conversation(config)
        self.witness = FloorWitness()
        self.at_us = 0
        self.told: Effects = ()
        self.effects: list[Effect] = []
        self.texts: dict[ReplyId, str] = {}
        self.tell("start")

    def state(self) -> TurnState:
        return self.conversation.state

    @property
    def names(self) -> list[str]:
        """The kinds of the last effects."""
        return [type(effect).__name__ for effect in self.told]

    def all(self, kind: type[Any]) -> list[Any]:
        """Every effect of this kind so far."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def last(self, kind: type[Any]) -> Any:
        """The latest effect of this kind."""
        return self.all(kind)[-1]

    def tell(self, fact: str, *arguments: Any) -> Effects:
        self.told = getattr(self.conversation, fact)(self.at_us, *arguments)
        self._note(self.told)
        return self.told

    def voice(self, seconds: float, probability: float) -> Effects:
        """Let the detector hear the same for a while; all that it comes to is ``told``."""
        told: Effects = ()
        for _ in range(round(seconds * 1_000_000 / WINDOW_US)):
            self.at_us += WINDOW_US
            told += self.tell("voice", probability)
        self.told = told
        return told

    def loud(self, seconds: float) -> Effects:
        return self.voice(seconds, 0.9)

    def quiet(self, seconds: float) -> Effects:
        return self.voice(seconds, 0.05)

    def seems(self, text: str) -> Effects:
        """Interim words, said in the last second."""
        return self.tell("interim", text, max(0, self.at_us - 1_000_000), self.at_us)

    def hears(self, text: str, *, seconds_ago: float = 0, words: tuple[Word, ...] = ()) -> Effects:
        """Final words that ended so long ago."""
        end_us = max(0, self.at_us - round(seconds_ago * 1_000_000))
        start_us = words[0].start_us if words else max(0, end_us - 1_000_000)
        return self.tell("final", text, start_us, end_us, 0.9, words)

    def hears_the_end(self, *, seconds_ago: float = 0) -> Effects:
        """The recogniser says that the last word ended so long ago."""
        return self.tell("endpoint", max(0, self.at_us - round(seconds_ago * 1_000_000)))

    def answers_flush(self) -> Effects:
        self.witness.open_flushes -= 1
        return self.tell("flushed")

    def says(self, text: str, seconds: float = 1.0) -> None:
        """Speak, fall silent until the detector knows, and have the words recognised."""
        self.loud(seconds)
        self.quiet(0.55)
        self.hears(text, seconds_ago=0.55)
        self.answers_flush()

    def agent_says(self, text: str, seconds: float = 4.0) -> ReplyId:
        """Have the last reply written and synthesised at once; nothing is played yet."""
        reply_id = max(self.texts)
        if not self.texts[reply_id]:
            self.texts[reply_id] = text
            self.tell("reply_text", reply_id, text)
            self.tell("reply_finished", reply_id)
        self.tell("speech_made", reply_id, len(text), round(seconds * 1_000_000))
        self.tell("speech_finished", reply_id)
        return reply_id

    def plays(self, reply_id: ReplyId, until: float) -> Effects:
        self.witness.played(reply_id)
        return self.tell("playout", reply_id, round(until * 1_000_000))

    def _note(self, effects: Effects) -> None:
        self.effects += effects
        self.witness.see(effects)
        for effect in effects:
            if isinstance(effect, BeginSay):
                self.texts[effect.reply_id] = effect.text
            elif isinstance(effect, BeginReply):
                self.texts[effect.reply_id] = ""


Begin: TypeAlias = Callable[..., Dialogue]


@pytest.fixture
def begin() -> Begin:
    """Begin a dialogue, with the settings of its config by name; no reply is begun early."""

    def begin(**settings: Any) -> Dialogue:
        settings.setdefault("preemption", PreemptionConfig(strategy=PreemptionStrategy.OFF))
        return Dialogue(FloorConfig(**settings))

    return begin
