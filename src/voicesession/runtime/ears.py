"""Where the caller's audio is listened to: the voice detector and the recogniser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from ..core.audio import AudioFormat
from ..core.pcm import to_s16_mono
from ..ports.speech import (
    Flushed,
    Marked,
    MarksProgress,
    Recognition,
    RecognitionStream,
    SpeechToText,
    VoiceActivityDetector,
    VoiceActivityStream,
)
from .busy import Busy

__all__ = ("Ears",)


class Ears:
    """One caller's streams of both engines, on the session's axis of time.

    Attributes:
        busy: Whether a flush or a mark has not been answered yet.
    """

    def __init__(
        self,
        audio_format: AudioFormat,
        activity: VoiceActivityStream,
        recognition: RecognitionStream,
        at_us: int,
    ) -> None:
        self._format = audio_format
        self._activity = activity
        self._recognition = recognition
        self._marks = recognition if isinstance(recognition, MarksProgress) else None
        self._window_end_us = at_us
        self.busy = Busy()

    @classmethod
    async def open(
        cls,
        vad: VoiceActivityDetector,
        stt: SpeechToText,
        audio_format: AudioFormat,
        *,
        language: str,
        at_us: int,
    ) -> Ears:
        """Open a stream of each engine; *at_us* is where the session stands.

        Raises:
            InvalidValue: An engine cannot take the format or the language.
            ProviderError: An engine cannot be had.
        """
        activity = vad.open(AudioFormat(sample_rate=audio_format.sample_rate))
        try:
            recognition = await stt.open(audio_format, language=language)
        except BaseException:
            activity.close()
            raise
        return cls(audio_format, activity, recognition, at_us)

    def hear(self, pcm: bytes, at_us: int) -> Iterator[tuple[int, float]]:
        """Push *pcm* to both; yield the end of each finished window and how much like speech it was."""
        self._recognition.push(pcm, at_us)
        for probability in self._activity.push(to_s16_mono(pcm, self._format)):
            self._window_end_us += self._activity.window_us
            yield self._window_end_us, probability

    def flush(self) -> None:
        """Ask the recogniser for the final words of everything so far."""
        self.busy.begin()
        self._recognition.flush()

    def mark(self) -> None:
        """Have ``busy`` say when the audio so far has been worked on, if the engine can tell."""
        if self._marks is not None:
            self.busy.begin()
            self._marks.mark()

    async def results(self) -> AsyncIterator[Recognition]:
        """Yield what the recogniser says; a question counts as answered when its answer is taken."""
        try:
            async for result in self._recognition:
                yield result
                if isinstance(result, Flushed | Marked):
                    self.busy.done()
        finally:
            while self.busy:
                self.busy.done()

    async def aclose(self) -> None:
        """Give both streams back."""
        self._activity.close()
        await self._recognition.aclose()
