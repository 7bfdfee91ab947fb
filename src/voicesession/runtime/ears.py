"""Where the caller's audio is listened to: the voice detector and the recogniser."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.audio import AudioFormat
from ..core.pcm import to_s16_mono
from ..ports.speech import VoiceActivityDetector, VoiceActivityStream
from .recogniser import Recogniser

__all__ = ("Ears",)


class Ears:
    """One caller's streams of both engines, on the session's axis of time.

    Attributes:
        recogniser: Writes down what is said; given back with the ears.
    """

    def __init__(
        self,
        audio_format: AudioFormat,
        activity: VoiceActivityStream,
        recogniser: Recogniser,
        at_us: int,
    ) -> None:
        self._format = audio_format
        self._activity = activity
        self._window_end_us = at_us
        self.recogniser = recogniser

    @classmethod
    async def open(
        cls,
        vad: VoiceActivityDetector,
        recogniser: Recogniser,
        audio_format: AudioFormat,
        *,
        at_us: int,
    ) -> Ears:
        """Open a stream of each engine; *at_us* is where the session stands.

        Raises:
            InvalidValue: An engine cannot take the format or the language.
            ProviderError: An engine cannot be had.
        """
        activity = vad.open(AudioFormat(sample_rate=audio_format.sample_rate))
        try:
            await recogniser.open()
        except BaseException:
            activity.close()
            raise
        return cls(audio_format, activity, recogniser, at_us)

    def hear(self, pcm: bytes, at_us: int) -> Iterator[tuple[int, float]]:
        """Push *pcm* to both; yield the end of each finished window and how much like speech it was."""
        self.recogniser.push(pcm, at_us)
        for probability in self._activity.push(to_s16_mono(pcm, self._format)):
            self._window_end_us += self._activity.window_us
            yield self._window_end_us, probability

    async def aclose(self) -> None:
        """Give both streams back."""
        self._activity.close()
        await self.recogniser.aclose()
