"""
Words out of a transcript for a stretch of time, as a mask takes the sound out of a recording.

A word is blurred if any of it lies in the stretch. Where nobody knows when each word was
said, or the words and a text do not match one to one, all of it is blurred: more, never less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve

from .redaction import BLUR
from .timeline import Span
from .utterance import Utterance, Word

__all__ = ("masked",)

_WORD: Final = re.compile(r"\S+")
_LETTER: Final = re.compile(r"\S")


def masked(utterance: Utterance, masks: Iterable[Span]) -> Utterance:
    """Return *utterance* without the words that were said under one of *masks*.

    Each character of theirs becomes a block, so length and times stay as they are. Masking
    twice changes nothing more.
    """
    spans = [mask for mask in masks if _overlaps(mask, utterance.start_us, utterance.end_us)]
    if not spans:
        return utterance
    hidden = [_is_hidden(word, spans) for word in utterance.words]
    return evolve(
        utterance,
        text=_blurred(utterance.text, hidden),
        words=tuple(
            evolve(word, text=_blocks(word.text)) if hide else word
            for word, hide in zip(utterance.words, hidden, strict=True)
        ),
        generated_text=_optional(utterance.generated_text, hidden),
        spoken_text=_optional(utterance.spoken_text, hidden),
    )


def _is_hidden(word: Word, spans: Iterable[Span]) -> bool:
    return any(_overlaps(span, word.start_us, word.end_us) for span in spans)


def _overlaps(span: Span, start_us: int, end_us: int) -> bool:
    # What takes no time lies in the stretch that its instant lies in.
    return span.from_us < max(end_us, start_us + 1) and start_us < span.to_us


def _optional(text: str | None, hidden: Sequence[bool]) -> str | None:
    return None if text is None else _blurred(text, hidden)


def _blurred(text: str, hidden: Sequence[bool]) -> str:
    words = list(_WORD.finditer(text))
    if len(words) != len(hidden):
        return _blocks(text)
    pieces, end = list[str](), 0
    for word, hide in zip(words, hidden, strict=True):
        pieces += [text[end : word.start()], _blocks(word[0]) if hide else word[0]]
        end = word.end()
    return "".join([*pieces, text[end:]])


def _blocks(text: str) -> str:
    return _LETTER.sub(BLUR, text)
