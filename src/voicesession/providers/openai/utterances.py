"""What was said between two flushes, cut to where a voice was heard."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from ...core.audio import AudioFormat
from ..energy import EnergyVoiceActivityDetector
from ..media_time import MediaTimes

__all__ = ("LONGEST_US", "Utterance", "VoicedTrack")

LONGEST_US: Final = 60_000_000
"""Of one utterance; then its oldest audio is dropped. The endpoint takes 25 MiB, far more."""
MARGIN_US: Final = 300_000
"""Kept on both sides of a voice: it begins and ends more quietly than it is."""


@frozen(kw_only=True)
class Utterance:
    """Audio with a voice in it, s16le and mono; its times are those of the voice."""

    pcm: bytes
    start_us: int
    end_us: int


class VoicedTrack:
    """Keeps what was said since the last cut, with little of the silence around it.

    Attributes:
        dropped_us: Audio lost because an utterance was longer than `LONGEST_US`.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._times = MediaTimes(audio_format, audio_format.sample_rate)
        self._activity = EnergyVoiceActivityDetector().open(audio_format)
        self._judged = 0  # sample frames since the track began, as all places here
        self._pushed = 0
        self._kept = bytearray()
        self._kept_from = 0
        self._voiced_from: int | None = None
        self._voiced_until = 0
        self.dropped_us = 0

    def push(self, pcm: bytes, at_us: int) -> None:
        """Take *pcm*, whose first sample lies at *at_us* of media time."""
        if self._times.jumps(at_us):
            self._times.anchor(self._pushed, at_us)
        self._times.advance(len(pcm))
        self._pushed += self._format.frames_in(len(pcm))
        self._kept += pcm
        window = self._format.nearest_frame(self._activity.window_us)
        for probability in self._activity.push(pcm):
            if probability >= 0.5:
                if self._voiced_from is None:
                    self._voiced_from = self._judged
                self._voiced_until = self._judged + window
            self._judged += window
        if self._voiced_from is None:
            self._forget_before(self._judged - self._format.frames_at(MARGIN_US))
        else:
            self._bound()

    def cut(self) -> Utterance | None:
        """Return what was said since the last cut, if a voice was heard."""
        voiced_from, self._voiced_from = self._voiced_from, None
        utterance = None
        if voiced_from is not None:
            margin = self._format.frames_at(MARGIN_US)
            first = max(self._kept_from, voiced_from - margin)
            last = min(self._pushed, self._voiced_until + margin)
            begin, end = (2 * (place - self._kept_from) for place in (first, last))
            utterance = Utterance(
                pcm=bytes(self._kept[begin:end]),
                start_us=self._times.at(max(first, voiced_from)),
                end_us=self._times.at(min(self._voiced_until, self._pushed)),
            )
        self._forget_before(self._pushed)
        return utterance

    def _bound(self) -> None:
        excess = self._pushed - self._kept_from - self._format.frames_at(LONGEST_US)
        if excess > 0:
            self.dropped_us += self._format.time_of(excess)
            self._forget_before(self._kept_from + excess)

    def _forget_before(self, frame: int) -> None:
        if frame > self._kept_from:
            del self._kept[: 2 * (frame - self._kept_from)]
            self._kept_from = frame
            self._times.forget_before(frame)
