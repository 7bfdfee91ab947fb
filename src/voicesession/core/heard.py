"""
How much of a reply was heard before it was cut.

Audio has been played up to some moment; which words were they? Best answer first:

1. All of it was made and played: everything that was spoken.
2. The synthesiser gave marks: up to the last word that had been spoken by then.
3. It did not, but the piece being played is wholly made: as far into its text as into its audio.
4. That piece is still being made: by the measured speaking rate, never past the piece.

None of them ends inside a word.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from attrs import frozen

__all__ = ("SPACELESS", "MadeSpeech", "SpeakingRate", "SpeechMark")

SPACELESS: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Characters of scripts without spaces (Kana, Han), as ranges for a pattern.

Each of them counts as a word of its own.
"""

_SPACELESS: Final = re.compile(f"[{SPACELESS}]")


@frozen
class SpeechMark:
    """Up to ``text_end`` (an offset into the text) is spoken when ``at_us`` has been played."""

    text_end: int
    at_us: int


_BEGINNING: Final = SpeechMark(0, 0)
_ROUNDING_US: Final = 1_000
"""Clients count playout in whole milliseconds: all is heard when less than one is left."""

_ENDLESS_US: Final = 1 << 62
"""Longer than any audio."""

_AT_US: Final = attrgetter("at_us")


class SpeakingRate:
    """How fast a voice speaks: a moving average over replies that were wholly made.

    ``average ← (3 · average + newest) / 4``, in microseconds per character. It starts at
    15 characters a second, an unhurried English voice.
    """

    __slots__ = ("us_per_character",)

    def __init__(self) -> None:
        self.us_per_character = 1_000_000 // 15

    def learn(self, characters: int, duration_us: int) -> None:
        """Take that *characters* took *duration_us* to say; nothing is learned from silence."""
        if characters > 0 and duration_us >= characters:
            self.us_per_character = (3 * self.us_per_character + duration_us // characters) // 4


class MadeSpeech:
    """What is known of the audio of one reply, piece by piece as it is made.

    Attributes:
        duration_us: Length of the audio so far.
        text_end: It speaks the text up to this offset, the last piece perhaps not wholly.
        is_complete: No more is made.
    """

    __slots__ = ("_marks", "_pieces", "duration_us", "is_complete", "text_end")

    def __init__(self) -> None:
        self.duration_us = 0
        self.text_end = 0
        self.is_complete = False
        self._marks: list[SpeechMark] = []
        self._pieces = [_BEGINNING]

    @property
    def all_heard_from_us(self) -> int:
        """Nothing is left when so much has been played; out of reach while more is made."""
        return self.duration_us - _ROUNDING_US + 1 if self.is_complete else _ENDLESS_US

    def add(self, text_end: int, duration_us: int, marks: Sequence[SpeechMark] = ()) -> bool:
        """Take the totals so far; they never shrink. Marks that are known already are skipped.

        Returns:
            Whether this is the first audio.
        """
        is_first = self.duration_us == 0 < duration_us
        if text_end > self.text_end and self.duration_us > self._pieces[-1].at_us:
            # The next piece of text has begun, so the audio before it speaks all before it.
            self._pieces.append(SpeechMark(self.text_end, self.duration_us))
        self.text_end = max(self.text_end, text_end)
        self.duration_us = max(self.duration_us, duration_us)
        known_us = self._marks[-1].at_us if self._marks else -1
        self._marks.extend(mark for mark in marks if mark.at_us > known_us)
        return is_first

    def complete(self, rate: SpeakingRate) -> None:
        """Take that no more is made, and let *rate* learn from it, once."""
        if not self.is_complete:
            self.is_complete = True
            self._pieces.append(SpeechMark(self.text_end, self.duration_us))
            rate.learn(self.text_end, self.duration_us)

    def heard_of(self, text: str, played_us: int, rate: SpeakingRate) -> str:
        """Return the beginning of *text* that was heard when *played_us* had been played."""
        if self.is_complete and played_us >= self.duration_us:
            offset = self.text_end
        elif self._marks:
            passed = bisect_right(self._marks, played_us, key=_AT_US)
            offset = self._marks[passed - 1].text_end if passed else 0
        else:
            offset = self._estimate(played_us, rate)
        return _whole_words(text, offset)

    def _estimate(self, played_us: int, rate: SpeakingRate) -> int:
        passed = bisect_right(self._pieces, played_us, key=_AT_US)
        last = self._pieces[passed - 1]
        into_us = played_us - last.at_us
        if passed == len(self._pieces):
            return min(self.text_end, last.text_end + into_us // rate.us_per_character)
        ahead = self._pieces[passed]
        share = (ahead.text_end - last.text_end) * into_us // (ahead.at_us - last.at_us)
        return last.text_end + share


def _whole_words(text: str, offset: int) -> str:
    """Return *text* up to the last word that ends at or before *offset*."""
    if offset >= len(text.rstrip()):
        return text
    while offset > 0 and not _is_break(text[offset - 1], text[offset]):
        offset -= 1
    return text[:offset].rstrip()


def _is_break(before: str, after: str) -> bool:
    spaces = before.isspace() or after.isspace()
    return spaces or bool(_SPACELESS.match(before) or _SPACELESS.match(after))
