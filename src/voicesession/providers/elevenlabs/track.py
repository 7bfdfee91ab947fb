"""One text as it is spoken: whole samples, and where its words end."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.audio import AudioFormat
from ...ports.speech import SpeechAudio, SpeechMark
from .messages import Piece

__all__ = ("Track",)


class Track:
    """Joins the pieces of one text."""

    def __init__(self, text: str, audio_format: AudioFormat) -> None:
        self._text = text
        self._format = audio_format
        self._made_bytes = 0
        self._odd = b""
        self._said = 0
        self._word = ""
        self._word_ends_us = 0

    def add(self, piece: Piece) -> SpeechAudio | None:
        """Return what *piece* completes, or None where that is no audio."""
        pcm = self._odd + piece.pcm
        whole = len(pcm) - len(pcm) % self._format.frame_bytes
        self._odd = pcm[whole:]
        # ElevenLabs counts each piece's characters from the beginning of its audio.
        begins_us = self._format.duration_us(self._made_bytes)
        self._made_bytes += whole
        marks = tuple(self._marks(piece, begins_us))
        return SpeechAudio(pcm=pcm[:whole], marks=marks) if whole else None

    def _marks(self, piece: Piece, begins_us: int) -> Iterator[SpeechMark]:
        made_us = self._format.duration_us(self._made_bytes)
        for character, ends_ms in piece.characters:
            if not character.isspace():
                self._word += character
                self._word_ends_us = min(begins_us + ends_ms * 1_000, made_us)
            elif self._word:
                word, self._word = self._word, ""
                found = self._text.find(word, self._said)
                if found >= 0:
                    self._said = found + len(word)
                    yield SpeechMark(self._said, self._word_ends_us)
