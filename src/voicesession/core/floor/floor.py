"""What both sides of the floor share, and the steps that change both at once."""

from __future__ import annotations

from ..states import TurnState
from .config import FloorConfig
from .effects import (
    AwayReason,
    Effect,
    PartialHeard,
    TurnCommitted,
    TurnReopened,
    UtteranceHeard,
)
from .hearing import Hearing
from .interruption import is_back_channel
from .preemption import Preemption
from .speaking import Reply, Speaking
from .tokens import tokens
from .voice_activity import ABOVE_ALL, BELOW_ALL

__all__ = ("Floor",)

# A name costs a tenth of a look into the enum, and every step that may change something asks.
_INITIAL, _LISTENING, _PROCESSING, _SPEAKING, _AWAY, _ENDED = TurnState


class Floor:
    """The state of a conversation. Rules decide on it (see rules); here is what they can do.

    Attributes:
        now_us: The latest time known.
        attended_us: When the agent last had the floor, or it was opened.
        away: Why the user is taken to be away, or None.
        hurry: The turn is committed as soon as its words are known: some were typed.
        is_too_long: The turn is committed as soon as its words are known: it was too long.
    """

    __slots__ = (
        "attended_us",
        "away",
        "config",
        "hearing",
        "hurry",
        "is_open",
        "is_over",
        "is_too_long",
        "now_us",
        "out",
        "preemption",
        "speaking",
    )

    def __init__(self, config: FloorConfig, *, replies_before: int) -> None:
        self.config = config
        self.out: list[Effect] = []
        self.now_us = 0
        self.attended_us = 0
        self.is_open = False
        self.is_over = False
        self.away: AwayReason | None = None
        self.hurry = False
        self.is_too_long = False
        self.hearing = Hearing(config, self.out, self._belongs_to_turn)
        self.speaking = Speaking(self.out, replies_before)
        self.preemption = Preemption(config.preemption)

    @property
    def state(self) -> TurnState:
        """Who has the floor."""
        if self.is_over:
            return _ENDED
        if not self.is_open:
            return _INITIAL
        if self.speaking.has_floor:
            current = self.speaking.current
            audible = current is not None and current.is_audible
            return _SPEAKING if audible else _PROCESSING
        return _LISTENING if self.away is None else _AWAY

    @property
    def was_noisy(self) -> bool:
        """There was a voice since the user or the agent last said something."""
        activity = self.hearing.activity
        return activity.is_on or activity.stopped_us > self.quiet_since_us

    @property
    def quiet_since_us(self) -> int:
        """When the user or the agent last said something."""
        return max(self.hearing.last_words_us, self.attended_us)

    @property
    def no_news(self) -> tuple[float, float]:
        """Two probabilities: windows below the first, or from the second on, change nothing."""
        if not self.is_open:
            return ABOVE_ALL, ABOVE_ALL
        if self.hearing.quietest.is_searching(self.now_us):
            return BELOW_ALL, ABOVE_ALL
        return self.hearing.activity.no_news(self.now_us)

    def move_to(self, at_us: int) -> None:
        """Let the time be *at_us*, or stay where it is later already."""
        self.now_us = max(self.now_us, at_us)

    def attend(self) -> None:
        """Take that the agent has had the floor until now: nobody is missed who is spoken to."""
        self.attended_us = self.now_us
        self.away = None

    def open(self) -> None:
        """Begin to listen, unless that is so."""
        if not self.is_open:
            self.is_open = True
            self.attended_us = self.now_us
            self.hearing.open(self.now_us)

    def close(self) -> None:
        """Stop speech and listening; a turn that was not answered is open again."""
        if self.is_open:
            self.reopen_turn()
            self.clear()
            self.hearing.close(self.now_us)
            self.away = None
            self.is_open = False

    def end(self) -> None:
        """Close for good; what was not answered never will be."""
        self.clear()
        self.close()
        self.hearing.end()
        self.is_over = True

    def clear(self) -> None:
        """Stop all that the agent says or was going to."""
        self.waste_speculation()
        self.speaking.drop_all()

    def interim(self, partial: PartialHeard) -> None:
        """Take what the recogniser thinks so far."""
        self._learn_pause()
        self.hearing.interim(self.now_us, partial)

    def final(self, heard: UtteranceHeard) -> None:
        """Take words that will not change."""
        self._learn_pause()
        self.hearing.final(self.now_us, heard)

    def typed(self, text: str) -> None:
        """Take typed words: they interrupt what can be interrupted."""
        self._learn_pause()
        self.yield_floor()
        self.hearing.typed(self.now_us, text)
        self.hurry = True

    def say(self, text: str, *, interruptible: bool) -> None:
        """Have *text* spoken."""
        if not self.speaking.has_floor:
            self.hearing.turn.agent_took_floor(self.now_us)
        self.speaking.say(text, interruptible=interruptible)

    def commit_turn(self) -> None:
        """End the user's turn and have it answered."""
        turn = self.hearing.turn.take()
        self.out.append(TurnCommitted(text=turn.text, start_us=turn.start_us, end_us=turn.end_us))
        speculation = self.speaking.speculation
        if speculation is not None and not self.preemption.holds(speculation.asked, turn.text):
            self.waste_speculation()
        # One who cannot be stopped from talking could not be answered otherwise.
        self.speaking.answer(turn, self.now_us, interruptible=not self.is_too_long)
        self.hearing.turn.agent_took_floor(self.now_us)
        self.hearing.endpointing.turn_over()
        self.hurry = self.is_too_long = self.preemption.is_spent = False

    def reopen_turn(self) -> None:
        """Take back the answer that was not heard yet: its turn goes on."""
        turn = self.speaking.withdraw()
        if turn is not None:
            hearing = self.hearing
            hearing.turn.reopen(turn)
            hearing.endpointing.went_on()
            if not hearing.activity.is_on:
                hearing.endpointing.speech_ended(turn.end_us)
            self.out.append(TurnReopened(at_us=self.now_us))

    def yield_floor(self) -> None:
        """Leave the floor to the user, but for what cannot be interrupted."""
        speaking = self.speaking
        answer = speaking.unheard_answer
        if answer is not None and answer.interruptible:
            self.reopen_turn()
        for reply in (speaking.current, *speaking.waiting):
            if reply is not None and reply.interruptible:
                speaking.drop(reply)

    def waste_speculation(self) -> bool:
        """Throw away the reply that was begun too early, and count it; tell if there was one."""
        wasted = self.speaking.waste()
        if wasted is None:
            return False
        self.preemption.wasted(wasted.text)
        return True

    def agent_failed(self, reply: Reply) -> None:
        """Take that no more text comes of *reply*: the agent has failed."""
        reply.is_written = reply.has_failed = True
        if reply is self.speaking.speculation:
            # Not again on the same words; once the turn is over the agent is asked anew.
            self.waste_speculation()
            self.preemption.is_spent = True

    def _learn_pause(self) -> None:
        if self.hearing.turn.is_empty and self.speaking.unheard_answer is None:
            self.hearing.endpointing.turn_began()
        else:
            self.hearing.endpointing.went_on()

    def _belongs_to_turn(self, text: str) -> bool:
        """Sounds of listening are heard and kept, but they are no turn of their own."""
        is_listening = self.speaking.has_floor
        return not (is_listening and is_back_channel(self.config.interruption, tokens(text)))
