"""Speech without a pause: where to cut it, and whose words are whose at the seam."""

from __future__ import annotations

from itertools import takewhile

from attrs import evolve

from ..utterance import Word
from .effects import UtteranceHeard
from .voice_activity import ABOVE_ALL

__all__ = ("QuietestPoint", "Seam")


class QuietestPoint:
    """Watches one utterance and, once it has become too long, says where to cut it.

    Only the last stretch before the limit is searched: an earlier cut would be needless.

    Attributes:
        search_from_us: Where that stretch begins; None while nobody speaks, or where
            utterances may be of any length.
    """

    __slots__ = (
        "_limit_us",
        "_lowest",
        "_quietest_us",
        "_search_us",
        "_until_us",
        "search_from_us",
    )

    def __init__(self, limit_us: int | None, search_us: int) -> None:
        self._limit_us = limit_us
        self._search_us = search_us
        self._until_us = 0
        self._lowest = ABOVE_ALL
        self._quietest_us = 0
        self.search_from_us: int | None = None

    def begin(self, at_us: int) -> None:
        """Take that an utterance begins at *at_us*."""
        if self._limit_us is not None:
            self._until_us = at_us + self._limit_us
            self._lowest = ABOVE_ALL
            self.search_from_us = max(at_us, self._until_us - self._search_us)

    def over(self) -> None:
        """Take that it has ended by itself."""
        self.search_from_us = None

    def is_searching(self, now_us: int) -> bool:
        """Tell whether every window counts at *now_us*."""
        return self.search_from_us is not None and self.search_from_us <= now_us

    def window(self, start_us: int, end_us: int, probability: float) -> int | None:
        """Return where to cut, if it is time; the next utterance has begun there.

        That is the middle of the window with the lowest probability, the latest of equals.
        """
        if not self.is_searching(start_us):
            return None
        if probability <= self._lowest:
            self._lowest = probability
            self._quietest_us = (start_us + end_us) // 2
        if end_us < self._until_us:
            return None
        self.begin(self._quietest_us)
        return self._quietest_us


class Seam:
    """Sorts the words around a cut, so that none is lost and none is doubled.

    A word belongs to the utterance in which its middle lies. Until the cut's flush is answered,
    words behind the cut are kept back: the host may push that audio a second time, so that they
    are heard again, and better. Those kept back stand as far as they lie before the first
    word that is heard after them; a word that was given out is not given out again. Words
    without times cannot be sorted and pass as they come.

    A seam opens with a cut and closes with the first flush that is not one of a cut.
    """

    __slots__ = ("_cut_us", "_given_until_us", "_is_open", "_kept_back")

    def __init__(self) -> None:
        self._is_open = False
        self._cut_us: int | None = None
        self._given_until_us = 0
        self._kept_back: UtteranceHeard | None = None

    def cut(self, at_us: int) -> None:
        """Take that the utterance is cut at *at_us*, and a flush asked for."""
        self._is_open = True
        self._cut_us = at_us

    def flushed(self) -> list[UtteranceHeard]:
        """Take the answer to a flush; return what need not be kept back any longer."""
        if self._cut_us is None:
            return self.close()
        self._cut_us = None
        return []

    def close(self) -> list[UtteranceHeard]:
        """Return what was kept back; there is no seam any more."""
        self._is_open = False
        self._cut_us = None
        self._given_until_us = 0
        return self._release()

    def take(self, heard: UtteranceHeard) -> list[UtteranceHeard]:
        """Return what is to be given out now that *heard* has come, in order."""
        if not self._is_open:
            return [heard]
        if not heard.words:
            return [*self._release(), heard]
        _, new = _split(heard, self._given_until_us)
        if new is None:
            return []
        given = [
            standing
            for kept in self._release()
            if (standing := _split(kept, new.words[0].start_us)[0])
        ]
        if self._cut_us is not None:
            new, self._kept_back = _split(new, self._cut_us)
        if new is not None:
            given.append(new)
        if given:
            self._given_until_us = given[-1].words[-1].end_us
        return given

    def _release(self) -> list[UtteranceHeard]:
        kept, self._kept_back = self._kept_back, None
        return [] if kept is None else [kept]


def _split(
    heard: UtteranceHeard, at_us: int
) -> tuple[UtteranceHeard | None, UtteranceHeard | None]:
    """Return *heard* as the utterance of the words that lead up to *at_us* and that of the rest.

    A word lies where its middle lies.
    """
    leading = takewhile(lambda word: word.start_us + word.end_us < 2 * at_us, heard.words)
    count = sum(1 for _ in leading)
    if count == 0:
        return None, heard
    if count == len(heard.words):
        return heard, None
    first, rest = heard.words[:count], heard.words[count:]
    first_text, rest_text = _split_text(heard.text, first, rest)
    return (
        evolve(heard, text=first_text, end_us=first[-1].end_us, words=first),
        evolve(heard, text=rest_text, start_us=rest[0].start_us, words=rest),
    )


def _split_text(text: str, first: tuple[Word, ...], rest: tuple[Word, ...]) -> tuple[str, str]:
    """Cut *text* where the *rest* begins; where it is not made of the words, take these."""
    offset = begins = 0
    for word in (*first, rest[0]):
        begins = text.find(word.text, offset)
        if begins < 0:
            return " ".join(word.text for word in first), " ".join(word.text for word in rest)
        offset = begins + len(word.text)
    return text[:begins].rstrip(), text[begins:]
