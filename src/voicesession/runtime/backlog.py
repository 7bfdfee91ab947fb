"""
What a recogniser was given and has not answered for: enough to begin anew with another one.

Audio and questions stand here in the order in which they went to the stream. Each answer
settles the audio that it is about, and that is forgotten. Sans-I/O.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from attrs import define

from ..core.audio import AudioFormat
from ..ports.speech import MarksProgress, RecognitionStream

__all__ = ("Asked", "Backlog", "Question")

_KEPT_IN_SILENCE_US: Final = 300_000
"""The detector takes less than that to be sure of a voice, which began before."""


class Question(StrEnum):
    """What a recogniser can be asked; each is answered once."""

    FLUSH = "flush"
    MARK = "mark"


@define(eq=False)
class Asked:
    """A question without an answer.

    Attributes:
        place: How many pieces of audio were pushed before it, of all that ever were.
        at_us: When it was asked, on the session's clock.
        is_late: It was noted that the answer takes long.
    """

    question: Question
    place: int
    at_us: int
    is_late: bool = False


class Backlog:
    """What one track's recogniser still owes us.

    As long as there is a voice, a word or a flush, all audio counts. Else the last moment of
    it is enough, because nothing was said in what was before.

    Attributes:
        voice: Somebody is speaking.
        words: Words were heard that are not final yet.
        unheard_from_us: Where the audio began that counts and had no room, in media time;
            None where there is none.

    Args:
        most_us: How much audio is kept at most.
    """

    __slots__ = (
        "_asked",
        "_first_place",
        "_flushes",
        "_format",
        "_held_bytes",
        "_most_bytes",
        "_pieces",
        "_silence_bytes",
        "_starts_us",
        "unheard_from_us",
        "voice",
        "words",
    )

    def __init__(self, audio_format: AudioFormat, *, most_us: int) -> None:
        self._format = audio_format
        self._most_bytes = audio_format.bytes_at(most_us)
        self._silence_bytes = audio_format.bytes_at(_KEPT_IN_SILENCE_US)
        # Two lists, not one of pairs: fifty pairs a second are what a garbage collector looks through.
        self._pieces: list[bytes] = []
        self._starts_us: list[int] = []
        self._first_place = 0
        self._held_bytes = 0
        self._asked: list[Asked] = []
        self._flushes = 0
        self.voice = False
        self.words = False
        self.unheard_from_us: int | None = None

    @property
    def questions(self) -> tuple[Asked, ...]:
        """What is not answered yet, in the order in which it was asked."""
        return tuple(self._asked)

    @property
    def awaits_words(self) -> bool:
        """A flush was not answered yet."""
        return self._flushes > 0

    @property
    def oldest_flush(self) -> Asked | None:
        """The flush that has waited longest for its answer."""
        return self._oldest(Question.FLUSH)

    @property
    def is_settled(self) -> bool:
        """Nothing that counts is owed: a stream may be left here without a loss."""
        return not (self.voice or self.words or self._flushes)

    def push(self, pcm: bytes, at_us: int) -> None:
        """Take audio that was pushed."""
        self._pieces.append(pcm)
        self._starts_us.append(at_us)
        self._held_bytes += len(pcm)
        counts = self.voice or self.words or self._flushes > 0
        most_bytes = self._most_bytes if counts else self._silence_bytes
        while self._held_bytes > most_bytes:
            if counts and self.unheard_from_us is None:
                self.unheard_from_us = self.from_us
            self._drop(1)

    def ask(self, question: Question, at_us: int) -> None:
        """Take that a question was asked at *at_us* on the clock."""
        self._asked.append(Asked(question, self._next_place, at_us))
        self._flushes += question is Question.FLUSH

    def answered(self, question: Question) -> bool:
        """Take the answer to the oldest question of its kind; tell whether there was one."""
        asked = self._oldest(question)
        if asked is None:
            return False
        self._asked.remove(asked)
        if question is Question.FLUSH:
            self._flushes -= 1
            self._settle(asked.place)
        return True

    def heard_until(self, end_us: int) -> None:
        """Take that the words up to *end_us* of media time are final."""
        flush = self.oldest_flush
        before = self._next_place if flush is None else flush.place
        # Up to a flush they lie one behind the other: only the last may reach beyond.
        begun = bisect_right(self._starts_us, end_us, hi=before - self._first_place)
        if begun and self._end_us(begun - 1) > end_us:
            begun -= 1
        if begun:
            self._drop(begun)
            self.unheard_from_us = None

    def since(self, at_us: int) -> Iterator[tuple[int, bytes]]:
        """Yield the time and audio of what was pushed for *at_us* and later."""
        for number, (start_us, pcm) in enumerate(self._timed):
            if start_us >= at_us:
                yield start_us, pcm
            elif self._end_us(number) > at_us:
                skipped = self._format.bytes_at(at_us - start_us)
                yield start_us + self._format.duration_us(skipped), pcm[skipped:]

    def begin_anew(self, stream: RecognitionStream, now_us: int) -> None:
        """Give all of it to *stream*, in the order in which it was given before."""
        asked = list(self._asked)
        for place, (at_us, pcm) in enumerate(self._timed, self._first_place):
            while asked and asked[0].place <= place:
                self._ask_again(stream, asked.pop(0), now_us)
            stream.push(pcm, at_us)
        while asked:
            self._ask_again(stream, asked.pop(0), now_us)
        self.unheard_from_us = None

    @property
    def from_us(self) -> int | None:
        """Where the audio that is kept begins; None where none is."""
        return self._starts_us[0] if self._starts_us else None

    def _oldest(self, question: Question) -> Asked | None:
        for asked in self._asked:
            if asked.question is question:
                return asked
        return None

    def _ask_again(self, stream: RecognitionStream, asked: Asked, now_us: int) -> None:
        asked.at_us, asked.is_late = now_us, False
        if asked.question is Question.FLUSH:
            stream.flush()
        elif isinstance(stream, MarksProgress):
            stream.mark()
        else:
            self._asked.remove(asked)

    def _settle(self, place: int) -> None:
        self._drop(max(0, place - self._first_place))
        self.unheard_from_us = None

    def _drop(self, count: int) -> None:
        """Forget the oldest pieces."""
        self._held_bytes -= sum(map(len, self._pieces[:count]))
        del self._pieces[:count]
        del self._starts_us[:count]
        self._first_place += count

    @property
    def _next_place(self) -> int:
        return self._first_place + len(self._pieces)

    @property
    def _timed(self) -> Iterable[tuple[int, bytes]]:
        """The time and audio of each piece, the oldest first."""
        return zip(self._starts_us, self._pieces, strict=True)

    def _end_us(self, number: int) -> int:
        return self._starts_us[number] + self._format.duration_us(len(self._pieces[number]))
