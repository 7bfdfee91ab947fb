"""The user's side of the floor: the voice, the words, and the recogniser between the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .config import FloorConfig
from .effects import (
    CutUtterance,
    Effect,
    FlushRecogniser,
    PartialHeard,
    SpeechEnded,
    SpeechStarted,
    UtteranceHeard,
)
from .endpointing import Endpointing
from .long_utterance import QuietestPoint, Seam
from .user_turn import UserTurn
from .voice_activity import VoiceActivity

__all__ = ("Hearing",)


class Hearing:
    """Everything known of the user.

    Attributes:
        flushes: Flushes that the recogniser has not answered yet.
        flush_due_us: When to stop waiting for the answers; None if nothing is waited for.
        last_words_us: When words last came in; mere voice is none.
        wordless_us: Since when the voice that is on has held no words, as far as the recogniser
            hears; None where it does not say.
    """

    __slots__ = (
        "_belongs_to_turn",
        "_flush_timeout_us",
        "_out",
        "_padding_us",
        "_quiet_since_us",
        "_seam",
        "activity",
        "endpointing",
        "flush_due_us",
        "flushes",
        "last_words_us",
        "quietest",
        "turn",
        "wordless_us",
    )

    def __init__(
        self, config: FloorConfig, out: list[Effect], belongs_to_turn: Callable[[str], bool]
    ) -> None:
        self._out = out
        self._belongs_to_turn = belongs_to_turn
        self._padding_us = config.voice.prefix_padding_us
        self._flush_timeout_us = config.flush_timeout_us
        self._quiet_since_us = 0
        self._seam = Seam()
        self.activity = VoiceActivity(config.voice)
        self.endpointing = Endpointing(config.endpointing)
        self.quietest = QuietestPoint(config.max_utterance_us, config.cut_search_us)
        self.turn = UserTurn()
        self.flushes = 0
        self.flush_due_us: int | None = None
        self.last_words_us = 0
        self.wordless_us: int | None = None

    @property
    def is_in_doubt(self) -> bool:
        """There is a voice, or just was one, whose words are not known yet."""
        return self.activity.is_on or self.flushes > 0

    def open(self, at_us: int) -> None:
        """Begin to listen. A turn that is still open goes on with a pause."""
        self._quiet_since_us = at_us
        if self.turn.texts:
            self.endpointing.speech_ended(at_us)

    def close(self, at_us: int) -> None:
        """Stop listening; the recogniser is asked for the words it still has."""
        was_on = self.activity.is_on
        self.activity.silence(at_us)
        if was_on:
            self._voice_off(at_us)
        elif self.turn.interim:
            self.flush(at_us)
        self.endpointing.turn_over()

    def end(self) -> None:
        """Give out the words that were kept back: no others come."""
        self._give(self._seam.close())

    def window(self, start_us: int, end_us: int, probability: float) -> None:
        """Take one window of the voice."""
        was_on = self.activity.is_on
        self.activity.step(start_us, end_us, probability)
        if self.activity.is_on and not was_on:
            self._voice_on()
        elif was_on and not self.activity.is_on:
            self._voice_off(end_us)
        elif was_on:
            self._look_for_cut(start_us, end_us, probability)

    def endpoint(self, word_end_us: int) -> None:
        """Take that the recogniser hears no words after *word_end_us*.

        Where the voice is off, this is no news.
        """
        if self.activity.is_on:
            self.wordless_us = max(word_end_us, self.activity.started_us)

    def dismiss_noise(self, at_us: int) -> None:
        """Take the voice that is on, and holds no words, for noise."""
        self.activity.dismiss(self.wordless_us or at_us)
        self._voice_off(at_us)

    def interim(self, at_us: int, partial: PartialHeard) -> None:
        """Take what the recogniser thinks so far; blank text withdraws what it thought."""
        if not partial.text or partial.text.isspace():
            self.turn.think("")
            return
        self._voice_has_words(partial.end_us)
        self._words_came(at_us, partial.end_us)
        self.turn.think(partial.text, partial.start_us, partial.end_us)
        self._out.append(partial)

    def final(self, at_us: int, heard: UtteranceHeard) -> None:
        """Take words that will not change."""
        self._voice_has_words(heard.end_us)
        self._words_came(at_us, heard.end_us)
        self.turn.think("")
        self._give(self._seam.take(heard))

    def typed(self, at_us: int, text: str) -> None:
        """Take typed words; whatever the recogniser still thinks comes after them."""
        self._words_came(at_us, at_us)
        self._out.append(UtteranceHeard(text=text, start_us=at_us, end_us=at_us))
        interim = self.turn.interim
        self.turn.add(text, at_us, at_us)
        self.turn.think(interim, at_us, at_us)

    def flush(self, at_us: int) -> None:
        """Ask the recogniser for its final words."""
        self.flushes += 1
        self.flush_due_us = at_us + self._flush_timeout_us
        self._out.append(FlushRecogniser())

    def flushed(self) -> None:
        """Take the answer to one flush; what is not final by now never will be."""
        if self.flushes:
            self.flushes -= 1
            if not self.flushes:
                self.flush_due_us = None
            self._give(self._seam.flushed())
            self.turn.think("")

    def give_up(self) -> None:
        """Take that the recogniser does not answer."""
        while self.flushes:
            self.flushed()

    def _voice_on(self) -> None:
        started_us = self.activity.started_us
        self._out.append(
            SpeechStarted(at_us=max(started_us - self._padding_us, self._quiet_since_us))
        )
        self.endpointing.speech_started(started_us)
        self.quietest.begin(started_us)

    def _voice_off(self, at_us: int) -> None:
        self.wordless_us = None
        self._quiet_since_us = self.activity.stopped_us
        self._out.append(SpeechEnded(at_us=self._quiet_since_us))
        self.endpointing.speech_ended(self._quiet_since_us)
        self.quietest.over()
        self.flush(at_us)

    def _look_for_cut(self, start_us: int, end_us: int, probability: float) -> None:
        cut_us = self.quietest.window(start_us, end_us, probability)
        if cut_us is not None:
            self._out.append(CutUtterance(at_us=cut_us))
            self._seam.cut(cut_us)
            self.flush(end_us)

    def _voice_has_words(self, end_us: int) -> None:
        self.activity.attend()
        if self.wordless_us is not None and end_us > self.wordless_us:
            self.wordless_us = None

    def _words_came(self, at_us: int, end_us: int) -> None:
        self.last_words_us = at_us
        if not self.activity.is_on:
            # The detector missed them, or there is none: the words tell when speech ended.
            self.endpointing.speech_ended(min(end_us, at_us))

    def _give(self, utterances: Iterable[UtteranceHeard]) -> None:
        for heard in utterances:
            self._out.append(heard)
            if self._belongs_to_turn(heard.text):
                self.turn.add(heard.text, heard.start_us, heard.end_us)
