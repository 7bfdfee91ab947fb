"""Where the caller's audio is listened to: the voice detector and the recogniser."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from ..core.audio import AudioFormat
from ..core.pcm import to_s16_mono
from ..ports.speech import (
    Final as FinalWords,
    Interim,
    NoiseSuppressionStream,
    Recognition,
    VoiceActivityStream,
)
from .pipeline import Pipeline
from .recogniser import Recogniser

__all__ = ("Ears",)

_WORDS: Final = (Interim, FinalWords)


class Ears:
    """One caller's streams of all engines that listen, on the session's axis of time.

    Attributes:
        recogniser: Writes down what is said; given back with the ears.
    """

    __slots__ = (
        "_activity",
        "_begin_us",
        "_clean_bytes",
        "_format",
        "_is_plain",
        "_suppression",
        "_take",
        "_void_until_us",
        "_window_end_us",
        "_window_us",
        "recogniser",
    )

    def __init__(
        self,
        audio_format: AudioFormat,
        activity: VoiceActivityStream,
        recogniser: Recogniser,
        suppression: NoiseSuppressionStream | None,
        at_us: int,
    ) -> None:
        self._format = audio_format
        self._is_plain = audio_format == audio_format.plain
        self._activity = activity
        self._suppression = suppression
        self._begin_us = at_us
        self._clean_bytes = 0
        self._window_us = activity.window_us
        self._window_end_us = at_us
        self._void_until_us = 0
        self._take: Callable[[Recognition], None]
        self.recogniser = recogniser

    @classmethod
    async def open(
        cls,
        pipeline: Pipeline,
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
        noise = pipeline.noise
        suppression = None if noise is None else noise.open(audio_format)
        activity = pipeline.vad.open(audio_format.plain)
        ears = cls(audio_format, activity, recogniser, suppression, at_us)
        try:
            await recogniser.open()
        except BaseException:
            ears.close()
            raise
        return ears

    def hear(self, pcm: bytes, at_us: int) -> Sequence[tuple[int, float]]:
        """Push *pcm* to all; return where each finished window ends, and how like speech it is."""
        if self._suppression is not None:
            pcm, at_us = self._cleaned(self._suppression.push(pcm))
        self.recogniser.push(pcm, at_us)
        plain = pcm if self._is_plain else to_s16_mono(pcm, self._format)
        windows: list[tuple[int, float]] = []
        for probability in self._activity.push(plain):
            self._window_end_us += self._window_us
            windows.append((self._window_end_us, probability))
        return windows

    def listen(self, take: Callable[[Recognition], None]) -> Coroutine[Any, Any, None]:
        """Hand what is recognised to *take*, but for what was taken back, until closed."""
        self._take = take
        return self.recogniser.run(self._take_what_stands)

    def take_back(self, until_us: int) -> None:
        """Void the words before *until_us* that are not final yet."""
        self._void_until_us = until_us
        self.recogniser.flush()

    def close(self) -> None:
        """Give back the streams that listen inline."""
        self._activity.close()
        if self._suppression is not None:
            self._suppression.close()

    async def aclose(self) -> None:
        """Give all streams back."""
        self.close()
        await self.recogniser.aclose()

    def _take_what_stands(self, result: Recognition) -> None:
        if isinstance(result, _WORDS) and result.start_us < self._void_until_us:
            return
        self._take(result)

    def _cleaned(self, pcm: bytes) -> tuple[bytes, int]:
        """Return *pcm* and where it lies: a suppressor keeps the last moment to itself."""
        at_us = self._begin_us + self._format.duration_us(self._clean_bytes)
        self._clean_bytes += len(pcm)
        return pcm, at_us
