"""Cutting a stream of text where a speaker would breathe, so that speech can start early."""

from __future__ import annotations

import re
from typing import Final

__all__ = ("SentenceCutter",)

_END: Final = re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]|\n+")
_ABBREVIATIONS: Final = frozenset(
    {"dr", "e.g", "etc", "i.e", "mr", "mrs", "ms", "no", "prof", "sr", "st", "vs"}
)


class SentenceCutter:
    """Takes text in pieces and gives whole sentences back; nothing is lost or changed.

    The sentences and the rest, joined, are exactly the text that was pushed. A full stop
    ends a sentence only if white space follows and it does not belong to an abbreviation
    or an initial.
    """

    def __init__(self) -> None:
        self._text = ""

    def push(self, piece: str) -> list[str]:
        """Return the sentences that *piece* completes, with the white space behind them."""
        self._text += piece
        sentences: list[str] = []
        start = 0
        for match in _END.finditer(self._text):
            # White space at the very end may go on in the next piece: it is not torn.
            if match.end() < len(self._text) and _is_an_end(self._text[start : match.end()]):
                sentences.append(self._text[start : match.end()])
                start = match.end()
        self._text = self._text[start:]
        return sentences

    def rest(self) -> str:
        """Return what is left, and forget it."""
        rest, self._text = self._text, ""
        return rest


def _is_an_end(sentence: str) -> bool:
    stripped = sentence.rstrip()
    if not stripped.endswith("."):
        return True
    last = stripped[:-1].split()[-1:] or [""]
    word = last[0].lstrip("(\"'“‘").lower()
    is_initial = len(word) == 1 and word.isalpha() and word != "i"
    return word not in _ABBREVIATIONS and not is_initial
