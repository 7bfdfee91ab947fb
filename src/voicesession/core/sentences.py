"""Cutting a stream of text where a speaker would breathe, so that speech can start early."""

from __future__ import annotations

import re
from typing import Final

__all__ = ("SentenceCutter",)

_END: Final = re.compile(r"[.!?…][\"'”’)\]]*\s|[。！？]|\n")
_ABBREVIATIONS: Final = frozenset(
    {"dr", "e.g", "etc", "i.e", "mr", "mrs", "ms", "no", "prof", "sr", "st", "vs"}
)


class SentenceCutter:
    """Takes text in pieces and gives whole sentences back; nothing is lost or changed.

    The sentences and the rest, joined, are exactly the text that was pushed. A full stop
    ends a sentence only if white space follows and it does not belong to an abbreviation
    or an initial. More white space behind it belongs to what comes next, so that nobody
    has to wait for that to know where the sentence ends.
    """

    def __init__(self) -> None:
        self._text = ""

    def push(self, piece: str) -> list[str]:
        """Return the sentences that *piece* completes, each up to the first white space behind."""
        self._text += piece
        sentences: list[str] = []
        start = 0
        for match in _END.finditer(self._text):
            sentence = self._text[start : match.end()]
            if _is_whole(sentence):
                sentences.append(sentence)
                start = match.end()
        self._text = self._text[start:]
        return sentences

    def rest(self) -> str:
        """Return what is left, and forget it."""
        rest, self._text = self._text, ""
        return rest


def _is_whole(sentence: str) -> bool:
    stripped = sentence.rstrip()
    if not stripped.endswith("."):
        return bool(stripped)
    last = stripped[:-1].split()[-1:] or [""]
    word = last[0].lstrip("(\"'“‘").lower()
    is_initial = len(word) == 1 and word.isalpha() and word != "i"
    return word not in _ABBREVIATIONS and not is_initial
