"""
Who has the floor: facts in, effects out, and nothing else.

Rules of the house:

* A Conversation does nothing by itself. Each method takes one fact and returns what is to
  be done about it, in order. It is stepped by plain calls, from one task at a time.
* ``at_us`` is media time: the caller's samples accepted so far. An earlier ``at_us`` than the
  latest counts as the latest, so that results which arrive late do no harm.
* What falls due by time alone happens before the next fact that is later; call
  ``tick`` when ``next_timer_us`` has come and no fact has.
* No fact is an error. One that fits no more (a reply that was cancelled, words while nobody is
  on the line) has no effect beyond what its method says. After ``end`` nothing has.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..heard import SpeechMark
from ..states import TurnState
from ..utterance import Word
from .config import FloorConfig
from .effects import NOTHING, Effects, ReplyId

__all__ = ("Conversation",)


class Conversation:
    """The turn-taking engine of one session. Times are microseconds of media time."""

    state: TurnState
    next_timer_us: int | None
    wasted_replies: int
    wasted_characters: int

    def __init__(self, config: FloorConfig) -> None: ...

    def start(self, at_us: int) -> Effects:
        """Open the floor: from now on the user is listened to."""
        return NOTHING

    def pause(self, at_us: int) -> Effects:
        """Close the floor for a while: speech stops, listening stops, no timer runs.

        What the agent was saying has ended interrupted; a turn that was not answered yet is
        open again and is committed after ``resume``. Final words may still arrive.
        """
        return NOTHING

    def resume(self, at_us: int) -> Effects:
        """Open the floor again."""
        return NOTHING

    def end(self, at_us: int) -> Effects:
        """Close the floor for good, as ``pause`` does; no effect ever comes after these."""
        return NOTHING

    def tick(self, at_us: int) -> Effects:
        """Let time pass: everything due up to *at_us* happens."""
        return NOTHING

    def voice(self, at_us: int, probability: float) -> Effects:
        """Take the probability of speech, 0 to 1, of the window that ends at *at_us*.

        It begins where the one before it ended.
        """
        return NOTHING

    def interim(
        self, at_us: int, text: str, start_us: int, end_us: int, words: Sequence[Word] = ()
    ) -> Effects:
        """Take what the recogniser thinks so far; it replaces the interim before."""
        return NOTHING

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
        return NOTHING

    def flushed(self, at_us: int) -> Effects:
        """Take the answer to a FlushRecogniser: all words before it have come."""
        return NOTHING

    def turn_probability(self, at_us: int, probability: float) -> Effects:
        """Take from a turn detector how likely it is, 0 to 1, that the user has finished."""
        return NOTHING

    def typed(self, at_us: int, text: str) -> Effects:
        """Take a typed turn: it is committed at once, together with words not yet answered.

        It interrupts; what cannot be interrupted is finished first. Blank text is nothing.
        """
        return NOTHING

    def reply_text(self, at_us: int, reply_id: ReplyId, text: str) -> Effects:
        """Take the next piece of the agent's text."""
        return NOTHING

    def reply_finished(self, at_us: int, reply_id: ReplyId) -> Effects:
        """Take that no more text comes. A reply without any gives the floor back."""
        return NOTHING

    def reply_failed(self, at_us: int, reply_id: ReplyId) -> Effects:
        """Take that the agent failed: no more text comes, and what came is spoken.

        Where the synthesiser failed, report ``speech_finished`` beside it.
        """
        return NOTHING

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
            text_end: The text up to this offset is being spoken by the audio so far.
            duration_us: Length of all audio of this reply so far.
            marks: Word ends within the whole reply, ascending; new ones or all again.
        """
        return NOTHING

    def speech_finished(self, at_us: int, reply_id: ReplyId) -> Effects:
        """Take that the whole reply is synthesised; it is over once that has been played."""
        return NOTHING

    def playout(self, at_us: int, reply_id: ReplyId, played_us: int) -> Effects:
        """Take how much of a reply's audio has been played so far."""
        return NOTHING

    def say(self, at_us: int, text: str, interruptible: bool = True) -> Effects:
        """Have *text* spoken, behind what is being spoken now.

        The first effect is its BeginSay. While the floor is closed there is no effect at all.

        Args:
            interruptible: False: the user's voice and typing do not stop it; what they say
                meanwhile is a turn after it.
        """
        return NOTHING

    def interrupt(self, at_us: int) -> Effects:
        """Take the floor from the agent, by a button or by the host.

        Everything it speaks, or was going to, is stopped or cancelled, uninterruptible or
        not: this is no guess. The turn it was answering is not opened again.
        """
        return NOTHING
