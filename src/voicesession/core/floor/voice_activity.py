"""When the user's voice is on: hysteresis over the probabilities of a voice activity detector."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from .config import VoiceActivityConfig

__all__ = ("ABOVE_ALL", "BELOW_ALL", "SPEAKING", "VoiceActivity", "VoiceState")

BELOW_ALL: Final = -1.0
ABOVE_ALL: Final = 2.0
"""Bounds that no probability reaches."""


class VoiceState(StrEnum):
    """QUIET → STARTING → SPEAKING → STOPPING → QUIET; STARTING and STOPPING may turn back.

    NOISE is what sounds like a voice and is none; a soft window makes it QUIET.
    """

    QUIET = "quiet"
    STARTING = "starting"
    SPEAKING = "speaking"
    STOPPING = "stopping"
    NOISE = "noise"


# A name costs a tenth of a look into the enum, and these are compared on the audio path.
QUIET, STARTING, SPEAKING, STOPPING, NOISE = VoiceState


class VoiceActivity:
    """Turns probabilities into speech and silence.

    A loud window (from ``on``) begins speech, a soft one (below ``off``) ends it, each only once
    it has lasted; what lies between the two thresholds changes nothing.

    Attributes:
        is_on: The voice is on: SPEAKING, or STOPPING, when it may yet come back.
        started_us: Where the latest speech began.
        stopped_us: Where the latest silence after speech began.
    """

    __slots__ = ("_config", "_loud_since_us", "is_on", "started_us", "state", "stopped_us")

    def __init__(self, config: VoiceActivityConfig) -> None:
        self._config = config
        self._loud_since_us = 0
        self.state = QUIET
        self.is_on = False
        self.started_us = 0
        self.stopped_us = 0

    @property
    def silent_from_us(self) -> int | None:
        """When the voice is off if it does not come back; None unless it is STOPPING."""
        if self.state is not STOPPING:
            return None
        return self.stopped_us + self._config.min_silence_us

    def no_news(self, now_us: int) -> tuple[float, float]:
        """Return two probabilities: windows below the first, or from the second on, are no news.

        They need no ``step`` before ``silent_from_us``, unless the state has changed.
        """
        if self.state is QUIET:
            return self._config.on, ABOVE_ALL
        if self.state is SPEAKING or self.state is NOISE:
            return BELOW_ALL, self._config.off
        silent_from_us = self.silent_from_us
        if silent_from_us is not None and now_us < silent_from_us:
            return self._config.off, ABOVE_ALL
        return BELOW_ALL, ABOVE_ALL

    def step(self, start_us: int, end_us: int, probability: float) -> None:
        """Take the window from *start_us* to *end_us*."""
        if self.is_on:
            self._while_on(start_us, end_us, probability)
        else:
            self._while_off(start_us, end_us, probability)

    def silence(self, at_us: int) -> None:
        """Be quiet from *at_us* on, whatever was heard before."""
        if self.state is SPEAKING:
            self.stopped_us = at_us
        self.state = QUIET
        self.is_on = False

    def dismiss(self, since_us: int) -> None:
        """Take what has been heard since *since_us* for noise; the voice is on."""
        self.stopped_us = since_us
        self.state = NOISE
        self.is_on = False

    def attend(self) -> None:
        """Listen into the noise: from now on it may be a voice again."""
        if self.state is NOISE:
            self.state = QUIET

    def voiced_us(self, since_us: int, now_us: int) -> int:
        """Return how long the present speech has lasted, or the last one did, after *since_us*."""
        end_us = now_us if self.state is SPEAKING else self.stopped_us
        return end_us - max(self.started_us, since_us) if end_us > since_us else 0

    def _while_off(self, start_us: int, end_us: int, probability: float) -> None:
        if self.state is NOISE and probability >= self._config.off:
            return
        if probability < self._config.on:
            self.state = QUIET
            return
        if self.state is QUIET:
            self.state = STARTING
            self._loud_since_us = start_us
        if end_us - self._loud_since_us >= self._config.min_speech_us:
            self.state = SPEAKING
            self.is_on = True
            self.started_us = self._loud_since_us

    def _while_on(self, start_us: int, end_us: int, probability: float) -> None:
        if probability >= self._config.off:
            self.state = SPEAKING
            return
        if self.state is SPEAKING:
            self.state = STOPPING
            self.stopped_us = start_us
        if end_us - self.stopped_us >= self._config.min_silence_us:
            self.state = QUIET
            self.is_on = False
