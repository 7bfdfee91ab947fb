"""
Has the user finished? Guesses from nothing, and from the last words.

`judge` goes through its rules from the top; the first that fits decides, and says why. Its
probabilities are no measurements: they order the rules, and lie on the side of 0.5 (the
threshold of endpointing) that the rule is for. The words are English; other languages are
judged by their punctuation alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import frozen

from ..ports.speech import TurnSoFar

__all__ = ("Judgement", "SilenceTurnDetector", "WordsTurnDetector", "judge")


@frozen
class Judgement:
    """How likely it is that the user has finished, 0 to 1, and the rule that says so."""

    probability: float
    reason: str


class SilenceTurnDetector:
    """Takes every pause for the end, so that silence alone decides."""

    name = "silence"

    async def probability(self, turn: TurnSoFar, /) -> float:  # noqa: ARG002 - whatever was said
        return 1.0

    async def aclose(self) -> None:
        """Nothing is held."""


class WordsTurnDetector:
    """Waits longer where the last words want to be followed by others; see `judge`."""

    name = "words"

    async def probability(self, turn: TurnSoFar, /) -> float:
        return judge(turn).probability

    async def aclose(self) -> None:
        """Nothing is held."""


def judge(turn: TurnSoFar) -> Judgement:
    """Return how finished *turn* looks, and why."""
    said = _taken_apart(turn)
    return next(judgement for fits, judgement in _RULES if fits(said))


@frozen(kw_only=True)
class _Said:
    """A turn as the rules look at it.

    Attributes:
        words: In lower case; none where the language is not English.
        end: The punctuation behind the last of them.
        asked: What the agent said before, in lower case.
    """

    is_blank: bool
    words: tuple[str, ...]
    end: str
    asked: str

    @property
    def last(self) -> str:
        return self.words[-1] if self.words else ""


_PUNCTUATION: Final = ".,;:!?…-–—\"'”’»)]、،。？！؟।"
_CLOSING: Final = "\"'”’»)]"


def _taken_apart(turn: TurnSoFar) -> _Said:
    text = turn.text.strip()
    is_english = turn.language.lower().partition("-")[0] in {"auto", "en"}
    end = text[len(text.rstrip(_PUNCTUATION)) :].rstrip(_CLOSING)
    return _Said(
        is_blank=not text,
        words=tuple(re.findall(r"[\w']+", text.lower())) if is_english else (),
        # Interim words have no punctuation yet, or one that will go.
        end=end if turn.is_final else "",
        asked=turn.asked.lower(),
    )


def _list(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FILLERS: Final = _list("um uhm uh er erm hmm hm ah well so like")
_WANT_MORE: Final = _list(
    "and but or because if when while which who than as though although unless until "
    "a an the my your his her its our their these some any "
    "to of for with from at by about into under between without "
    "is are was were am be been have has had would could should shall may might must "
    "i'm you're we're they're it's i'll i'd i've let's i he she we they very really"
)
"""Conjunctions, articles, possessives, prepositions, auxiliaries and subjects that seldom end
a sentence. Others of their kind often do, and are not here: "Yes I can", "Go on"."""
_WHOLE_ANSWERS: Final = frozenset(
    {
        *_list("yes yeah yep no nope okay ok sure right exactly correct thanks bye goodbye"),
        *_list("hello hi stop"),
        *("thank you", "thank you very much", "yes please", "no thanks", "no thank you"),
        *("never mind", "that's all", "that's it", "i don't know"),
    }
)
_DIGITS: Final = _list("zero oh one two three four five six seven eight nine ten double triple")
_ASKS_FOR_DIGITS: Final = re.compile(r"\b(number|code|digits?|phone|card|pin|zip|postcode)\b")


def _is_digit(word: str) -> bool:
    return word in _DIGITS or word.isdecimal()


_Rule: TypeAlias = tuple[Callable[[_Said], bool], Judgement]
_RULES: Final[tuple[_Rule, ...]] = (
    (lambda s: s.is_blank, Judgement(0.5, "nothing was said")),
    (lambda s: s.end.endswith(("..", "…", "-", "–", "—")), Judgement(0.15, "it trails off")),
    (lambda s: s.end.endswith((",", ";", ":", "、", "،")), Judgement(0.2, "a clause ends, no sentence")),
    (lambda s: s.last in _FILLERS, Judgement(0.1, "the last word fills a pause for thought")),
    (lambda s: s.last in _WANT_MORE, Judgement(0.15, "the last word wants another behind it")),
    (
        lambda s: _is_digit(s.last) and bool(_ASKS_FOR_DIGITS.search(s.asked)),
        Judgement(0.35, "a number was asked for, and may go on"),
    ),
    (lambda s: " ".join(s.words) in _WHOLE_ANSWERS, Judgement(0.95, "that is a whole answer")),
    (lambda s: s.end.endswith(("?", "!", "？", "！", "؟")), Judgement(0.95, "a question or a call ends")),
    (lambda s: s.end.endswith((".", "。", "।")), Judgement(0.85, "a sentence ends")),
    (lambda s: 0 < len(s.words) < 3, Judgement(0.55, "it is hardly a sentence yet")),
    (lambda _: True, Judgement(0.7, "nothing speaks against it")),
)  # fmt: skip
