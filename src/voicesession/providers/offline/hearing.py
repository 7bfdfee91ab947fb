"""One caller's track on its way to the decoder: where utterances begin, end and lie in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...core.audio import AudioFormat
from ...core.utterance import Word
from ...ports import speech
from ..intake import Intake
from ..media_time import MediaTimes
from .decoding import RATE_HZ, SLICE_BYTES, Decoder, Decoders, Heard

__all__ = ("Hearing",)

_S16: Final = AudioFormat(sample_rate=RATE_HZ)
_LEAD_BYTES: Final = _S16.bytes_at(500_000)
"""Kept from before the first voice: an utterance may begin with a breath or an h."""
_QUIET_ENDS_BYTES: Final = _S16.bytes_at(3_000_000)
_LONGEST_BYTES: Final = _S16.bytes_at(30_000_000)


class Hearing:
    """Finds the utterances in a track and has them decoded. Plain calls, on any one thread.

    Nothing is decoded until PocketSphinx's own detector hears a voice; from then on all is
    kept for the second pass, up to 30 s. An utterance ends when it is asked for; unasked,
    after 3 s of quiet or 30 s in all.
    """

    def __init__(self, audio_format: AudioFormat, decoders: Decoders, min_score: float) -> None:
        self._decoders = decoders
        self._min_score = min_score
        self._gate = decoders.gate()
        self._intake = Intake(audio_format, RATE_HZ)
        self._times = MediaTimes(audio_format, RATE_HZ)
        self._unsifted = bytearray()
        self._kept = bytearray()
        self._kept_from = 0  # in samples since the track began, as all places here
        self._voiced_from = 0
        self._voiced_until = 0
        self._decoded = 0
        self._decoder: Decoder | None = None
        self._interim = ""

    def hear(self, pcm: bytes, at_us: int) -> Iterator[speech.Recognition]:
        """Take *pcm*, whose first sample lies at *at_us*; yield what it settles."""
        if self._times.jumps(at_us):
            self._unsifted += self._intake.finish()
            self._times.anchor(self._end, at_us)
        self._times.advance(len(pcm))
        self._unsifted += self._intake.push(pcm)
        while len(self._unsifted) >= self._gate.frame_bytes:
            frame = bytes(self._unsifted[: self._gate.frame_bytes])
            del self._unsifted[: len(frame)]
            yield from self._sift(frame)

    def interim(self) -> speech.Interim | None:
        """Return what the utterance sounds like so far, if that has changed."""
        text = self._decoder.text if self._decoder else ""
        if text in {"", self._interim}:
            return None
        self._interim = text
        return speech.Interim(
            text=text,
            start_us=self._times.at(self._voiced_from),
            end_us=self._times.at(self._voiced_until),
        )

    def conclude(self) -> speech.Final | None:
        """End the utterance and return its words, if they are a sentence of the grammar."""
        self._kept += self._unsifted + self._intake.finish()
        self._unsifted.clear()
        self._times.forget_position()
        final = self._decide()
        self._drop_kept(len(self._kept))
        return final

    def close(self) -> None:
        """Give the decoder back. Twice is harmless."""
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            self._decoders.give(decoder)

    def abandon(self) -> None:
        """Forget the decoder: it has failed, and nobody shall have it again."""
        self._decoder = None

    def _sift(self, frame: bytes) -> Iterator[speech.Recognition]:
        begins = self._kept_from + len(self._kept) // 2
        self._kept += frame
        if self._gate.is_speech(frame):
            self._voiced_until = begins + len(frame) // 2
            if self._decoder is None:
                self._begin(begins)
        if self._decoder is None:
            self._drop_kept(len(self._kept) - _LEAD_BYTES)
            return
        while len(self._kept) - self._decoded >= SLICE_BYTES:
            self._decoder.hear(bytes(self._kept[self._decoded : self._decoded + SLICE_BYTES]))
            self._decoded += SLICE_BYTES
        quiet = self._kept_from + len(self._kept) // 2 - self._voiced_until
        if 2 * quiet >= _QUIET_ENDS_BYTES or len(self._kept) >= _LONGEST_BYTES:
            final = self._decide()
            if final is not None:
                yield final
            self._drop_kept(len(self._kept) - _LEAD_BYTES)

    def _begin(self, voiced_from: int) -> None:
        self._decoder = self._decoders.take()
        self._decoder.begin()
        self._voiced_from = voiced_from
        self._decoded = 0
        self._interim = ""

    def _decide(self) -> speech.Final | None:
        if self._decoder is None:
            return None
        heard = self._decoder.decide(bytes(self._kept))
        self.close()
        if heard is None or heard.score < self._min_score:
            return None
        return self._final(heard)

    def _final(self, heard: Heard) -> speech.Final:
        words = tuple(
            Word(
                text=word.text,
                start_us=self._times.at(self._kept_from + word.start),
                end_us=self._times.at(self._kept_from + word.end),
            )
            for word in heard.words
        )
        return speech.Final(
            text=heard.text,
            start_us=words[0].start_us,
            end_us=words[-1].end_us,
            confidence=heard.score,
            words=words,
        )

    def _drop_kept(self, size_bytes: int) -> None:
        if size_bytes > 0:
            del self._kept[:size_bytes]
            self._kept_from += size_bytes // 2
            self._times.forget_before(self._kept_from)

    @property
    def _end(self) -> int:
        return self._kept_from + (len(self._kept) + len(self._unsifted)) // 2
