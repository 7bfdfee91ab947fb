"""
Who has the floor: facts in, effects out, and nothing else.

Rules of the house:

* A Conversation does nothing by itself. Each method takes one fact and returns what is to
  be done about it, in order. It is stepped by plain calls, by one caller at a time.
* ``at_us`` is media time: the caller's samples accepted so far. An earlier ``at_us`` than the
  latest counts as the latest, so that results which arrive late do no harm.
* What falls due by time alone happens before the first fact that is later; call ``tick``
  when ``next_timer_us`` has come and no other fact has.
* No fact is an error. One that fits no more (a reply that was cancelled, a window while
  nobody listens) has no effect beyond what its method says. After ``end`` nothing has.

What is decided when stands in ``rules``; here is only how facts come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..heard import SpeechMark
from ..states import TurnState
from ..utterance import Word
from .config import FloorConfig
from .effects import NOTHING, Effects, FloorChanged, PartialHeard, ReplyId, UtteranceHeard
from .floor import Floor
from .rules import NEVER, next_deadline_us, run_rules
from .speaking import Reply

__all__ = ("Conversation",)

_AGENT_HAS_FLOOR: Final = (TurnState.PROCESSING, TurnState.SPEAKING)


class Conversation:
    """The turn-taking engine of one session. Times are microseconds of media time."""

    __slots__ = (
        "_due_us",
        "_floor",
        "_knows_what_is_next",
        "_loud_from",
        "_played_news_us",
        "_playing",
        "_quiet_below",
        "_window_us",
        "state",
    )

    def __init__(self, config: FloorConfig, *, replies_before: int = 0) -> None:
        self._floor = Floor(config, replies_before=replies_before)
        self._window_us = 0
        self._knows_what_is_next = False
        self._due_us: int
        self._quiet_below: float
        self._loud_from: float
        self._playing: Reply | None
        self._played_news_us: int
        self.state: TurnState = TurnState.INITIAL
        """Who has the floor."""

    @property
    def next_timer_us(self) -> int | None:
        """When ``tick`` wants to be called, if no fact comes before; None for never."""
        if not self._knows_what_is_next:
            self._look_ahead()
        return None if self._due_us == NEVER else self._due_us

    @property
    def wasted_replies(self) -> int:
        """How many replies were begun before the turn was over and then thrown away."""
        return self._floor.preemption.wasted_replies

    @property
    def wasted_characters(self) -> int:
        """How much text had been generated for those."""
        return self._floor.preemption.wasted_characters

    def start(self, at_us: int) -> Effects:
        """Open the floor: from now on the user is listened to."""
        return self._open(at_us)

    def pause(self, at_us: int) -> Effects:
        """Close the floor for a while: speech stops, listening stops, no timer runs.

        What the agent was saying has ended interrupted; a turn that was not answered yet is
        open again and is committed after ``resume``. Final words may still arrive.
        """
        if self._has_time(at_us):
            self._floor.close()
        return self._settled()

    def resume(self, at_us: int) -> Effects:
        """Open the floor again."""
        return self._open(at_us)

    def end(self, at_us: int) -> Effects:
        """Close the floor for good; no effect ever comes after these.

        To have the words that the recogniser still holds, pause and wait for ``flushed`` first.
        """
        if self._has_time(at_us):
            self._floor.end()
        return self._settled()

    def tick(self, at_us: int) -> Effects:
        """Let time pass: everything due up to *at_us* happens."""
        self._has_time(at_us)
        return self._effects()

    def voice(self, at_us: int, probability: float) -> Effects:
        """Take the probability of speech, 0 to 1, from the window before until *at_us*."""
        # Most windows end here: more of the same, and nothing is due.
        if not self._knows_what_is_next:
            self._look_ahead()
        no_news = probability < self._quiet_below or probability >= self._loud_from
        if no_news and at_us < self._due_us:
            self._window_us = at_us
            return NOTHING
        start_us, self._window_us = self._window_us, at_us
        if self._has_time(at_us) and start_us < at_us:
            self._floor.hearing.window(start_us, at_us, probability)
        return self._settled()

    def interim(
        self, at_us: int, text: str, start_us: int, end_us: int, words: Sequence[Word] = ()
    ) -> Effects:
        """Take what the recogniser thinks so far; it replaces the interim before.

        Blank text withdraws that. While the floor is closed it is not listened to.
        """
        if self._has_time(at_us) and self._floor.is_open:
            end_us = max(start_us, end_us)
            self._floor.interim(
                PartialHeard(text=text, start_us=start_us, end_us=end_us, words=tuple(words))
            )
        return self._settled()

    def final(
        self,
        at_us: int,
        text: str,
        start_us: int,
        end_us: int,
        confidence: float | None = None,
        words: Sequence[Word] = (),
    ) -> Effects:
        """Take words that will not change. They are heard even while the floor is closed."""
        if self._has_time(at_us) and text and not text.isspace():
            self._floor.final(
                UtteranceHeard(
                    text=text,
                    start_us=start_us,
                    end_us=max(start_us, end_us),
                    confidence=confidence,
                    words=tuple(words),
                )
            )
        return self._settled()

    def flushed(self, at_us: int) -> Effects:
        """Take the answer to a FlushRecogniser: all words before it have come."""
        if self._has_time(at_us):
            self._floor.hearing.flushed()
        return self._settled()

    def endpoint(self, at_us: int, word_end_us: int) -> Effects:
        """Take that the recogniser hears no more words after *word_end_us*: an utterance is over.

        Where a voice goes on without any for the longest delay of endpointing, it is noise.
        """
        if self._has_time(at_us):
            self._floor.hearing.endpoint(word_end_us)
        return self._settled()

    def turn_probability(self, at_us: int, probability: float) -> Effects:
        """Take from a turn detector how likely it is, 0 to 1, that the user has finished.

        It holds until the user's voice is on again or the turn is over.
        """
        if self._has_time(at_us):
            self._floor.hearing.endpointing.turn_probability(probability)
        return self._settled()

    def typed(self, at_us: int, text: str) -> Effects:
        """Take a typed turn: it is committed at once, together with words not answered yet.

        It interrupts; what cannot be interrupted is finished first. Blank text is nothing.
        """
        if self._has_time(at_us) and text and not text.isspace():
            self._floor.typed(text)
        return self._settled()

    def reply_text(self, at_us: int, reply_id: ReplyId, text: str) -> Effects:
        """Take the next piece of the agent's text."""
        reply = self._reply(at_us, reply_id)
        if reply is not None and self._floor.speaking.write(reply, text):
            self._settle()
        return self._effects()

    def reply_finished(self, at_us: int, reply_id: ReplyId) -> Effects:
        """Take that no more text comes. A reply without any gives the floor back."""
        reply = self._reply(at_us, reply_id)
        if reply is not None:
            reply.is_written = True
        return self._settled()

    def reply_failed(self, at_us: int, reply_id: ReplyId) -> Effects:
        """Take that the agent failed: no more text comes, and what came is spoken.

        Where the synthesiser failed, report ``speech_finished`` beside it.
        """
        reply = self._reply(at_us, reply_id)
        if reply is not None:
            self._floor.agent_failed(reply)
        return self._settled()

    def speech_made(
        self,
        at_us: int,
        reply_id: ReplyId,
        text_end: int,
        duration_us: int,
        marks: Sequence[SpeechMark] = (),
    ) -> Effects:
        """Take how much of a reply is synthesised.

        Args:
            text_end: The audio so far speaks the text up to this offset, or is about to.
            duration_us: Length of all audio of this reply so far.
            marks: Word ends within the whole reply, ascending; new ones or all again.
        """
        reply = self._reply(at_us, reply_id)
        if reply is not None and reply.made.add(text_end, duration_us, marks):
            self._settle()
        return self._effects()

    def speech_finished(self, at_us: int, reply_id: ReplyId) -> Effects:
        """Take that the whole reply is synthesised; it is over once that has been played."""
        reply = self._reply(at_us, reply_id)
        if reply is not None:
            self._floor.speaking.synthesised(reply)
        return self._settled()

    def playout(self, at_us: int, reply_id: ReplyId, played_us: int) -> Effects:
        """Take how much of a reply's audio has been played so far."""
        # Most reports end here: more of the same was played, and nothing is due.
        if not self._knows_what_is_next:
            self._look_ahead()
        floor, playing = self._floor, self._playing
        if playing is not None and playing.reply_id == reply_id:
            no_news = playing.played_us < played_us < self._played_news_us
            if no_news and floor.now_us <= at_us < self._due_us and self._window_us <= at_us:
                floor.now_us = playing.last_heard_us = at_us
                playing.played_us = played_us
                return NOTHING
        reply = self._reply(at_us, reply_id)
        if reply is not None and reply.heard(floor.now_us, played_us):
            self._settle()
        return self._effects()

    def say(self, at_us: int, text: str, interruptible: bool = True) -> Effects:
        """Have *text* spoken, behind what is being spoken now; the first effect is its BeginSay.

        Neither voice nor typing stop what is not interruptible: what the user says meanwhile is
        a turn after it. While the floor is closed there is no effect at all.
        """
        if self._has_time(at_us) and self._floor.is_open:
            self._floor.say(text, interruptible=interruptible)
        return self._settled()

    def interrupt(self, at_us: int) -> Effects:
        """Take the floor from the agent, by a button or by the host.

        All that it speaks or was going to is stopped or cancelled, uninterruptible or not:
        this is no guess. The turn that it was answering is not opened again.
        """
        if self._has_time(at_us):
            self._floor.clear()
        return self._settled()

    def _open(self, at_us: int) -> Effects:
        if self._has_time(at_us):
            self._window_us = self._floor.now_us
            self._floor.open()
        return self._settled()

    def _reply(self, at_us: int, reply_id: ReplyId) -> Reply | None:
        return self._floor.speaking.find(reply_id) if self._has_time(at_us) else None

    def _has_time(self, at_us: int) -> bool:
        """Let everything happen that is due by *at_us*, and tell whether there is a floor yet."""
        floor = self._floor
        while at_us > floor.now_us and (due_us := self.next_timer_us or NEVER) <= at_us:
            floor.move_to(due_us)
            self._settle()
        floor.move_to(max(self._window_us, at_us))
        return not floor.is_over

    def _settle(self) -> None:
        """Bring the floor to rest."""
        floor = self._floor
        if self.state in _AGENT_HAS_FLOOR:
            floor.attend()
        run_rules(floor)
        state = floor.state
        if state is not self.state:
            self.state = state
            floor.out.append(FloorChanged(state=state, at_us=floor.now_us))
        self._knows_what_is_next = False

    def _look_ahead(self) -> None:
        """Find out what may disturb the floor next: only once time goes on, for all facts before."""
        floor = self._floor
        self._due_us = next_deadline_us(floor)
        self._quiet_below, self._loud_from = floor.no_news
        self._playing = current = floor.speaking.current
        self._played_news_us = 0 if current is None else current.news_from_us
        self._knows_what_is_next = True

    def _settled(self) -> Effects:
        """Bring the floor to rest and hand out what is to be done."""
        self._settle()
        return self._effects()

    def _effects(self) -> Effects:
        """Hand out what is to be done; the floor is at rest."""
        out = self._floor.out
        if not out:
            return NOTHING
        effects = tuple(out)
        out.clear()
        return effects
