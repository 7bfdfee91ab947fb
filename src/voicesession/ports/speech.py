"""The speech engines: who hears voices, who writes words down, who speaks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import frozen

from ..core.audio import AudioFormat
from ..core.heard import SpeechMark
from ..core.utterance import Word

__all__ = (
    "Final",
    "Flushed",
    "Interim",
    "Marked",
    "MarksProgress",
    "Recognition",
    "RecognitionStream",
    "SpeechAudio",
    "SpeechMark",
    "SpeechToText",
    "TextToSpeech",
    "VoiceActivityDetector",
    "VoiceActivityStream",
)


class VoiceActivityDetector(Protocol):
    """Tells speech from everything else. Shared by many sessions, long-lived.

    ``name`` stands in metrics and errors: short, lower case, without secrets.
    """

    @property
    def name(self) -> str: ...

    def open(self, audio_format: AudioFormat, /) -> VoiceActivityStream:
        """Return a fresh stream for one track; cheap, and never blocks long.

        Raises:
            InvalidValue: The detector cannot take this format.
        """
        ...

    async def aclose(self) -> None:
        """Let go of models and threads. Called once, after every stream is closed."""
        ...


class VoiceActivityStream(Protocol):
    """Listens to one track. Runs inline on the audio path: a plain call, no task.

    Attributes:
        window_us: Media time that one probability stands for.
    """

    @property
    def window_us(self) -> int: ...

    def push(self, pcm: bytes, /) -> Sequence[float]:
        """Return the probability of speech, 0 to 1, of each window that *pcm* completes.

        Pieces may have any size; what does not fill a window waits for the next call.
        """
        ...

    def close(self) -> None:
        """Give the model instance back. The stream is not used again; twice is harmless."""
        ...


@frozen(kw_only=True)
class Interim:
    """What the recogniser thinks so far; the next one replaces it.

    Times are microseconds of media time, as pushed. ``words`` may be empty.
    """

    text: str
    start_us: int
    end_us: int
    words: tuple[Word, ...] = ()


@frozen(kw_only=True)
class Final:
    """What was said; it will not change. Never empty."""

    text: str
    start_us: int
    end_us: int
    confidence: float | None = None
    words: tuple[Word, ...] = ()


@frozen
class Flushed:
    """All audio pushed before the matching ``flush()`` has been answered."""


@frozen
class Marked:
    """All audio pushed before the matching ``mark()`` has been worked on."""


Recognition: TypeAlias = Interim | Final | Flushed | Marked


class SpeechToText(Protocol):
    """Writes down what is said. Shared by many sessions, long-lived."""

    @property
    def name(self) -> str: ...

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> RecognitionStream:
        """Return a fresh stream for one track, owned and closed by the caller.

        Args:
            language: A BCP 47 tag, or ``auto``.

        Raises:
            InvalidValue: The engine cannot take this format or language.
            ProviderError: The engine cannot be had.
        """
        ...

    async def aclose(self) -> None:
        """Let go of models, threads and connections, after every stream is closed."""
        ...


class RecognitionStream(Protocol):
    """Recognises one track. Iterate it for results; it ends after ``aclose()``.

    Between two flushes the engine may send any number of ``Interim`` and ``Final``; after
    a flush comes exactly one ``Flushed``, behind every result of the audio before it.
    """

    def push(self, pcm: bytes, at_us: int, /) -> None:
        """Take *pcm*, whose first sample lies at *at_us* of media time. Never blocks.

        What the engine cannot keep up with is held up to its stated bound, then the
        oldest audio is dropped and the loss is counted.
        """
        ...

    def flush(self) -> None:
        """Ask for the final words of everything pushed so far. Never blocks."""
        ...

    def __aiter__(self) -> AsyncIterator[Recognition]:
        """Results in order. Raises ProviderError where the engine fails."""
        ...

    async def aclose(self) -> None:
        """Stop at once and end the iteration; what was not flushed is lost. Twice is harmless."""
        ...


@frozen(kw_only=True)
class SpeechAudio:
    """A piece of synthesised speech.

    Attributes:
        pcm: In the engine's ``audio_format``; whole sample frames.
        marks: Word ends that the engine knows by now, counted from the start of the
            text and of its audio, ascending. Empty where the engine tells none.
    """

    pcm: bytes
    marks: tuple[SpeechMark, ...] = ()


@runtime_checkable
class MarksProgress(Protocol):
    """A recognition stream that tells how far it is, for audio faster than real time.

    Without it, who feeds a stream faster than it works gets interim words too late.
    """

    def mark(self) -> None:
        """Ask for one ``Marked``, behind every result that the audio so far gives by itself.

        It flushes nothing, and never blocks.
        """
        ...


class TextToSpeech(Protocol):
    """Speaks. Shared by many sessions, long-lived."""

    @property
    def name(self) -> str: ...

    @property
    def audio_format(self) -> AudioFormat:
        """What ``speak`` yields; s16le, mono."""
        ...

    def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:
        """Yield the audio of *text* as it is made, first pieces early.

        Closing the generator stops the engine soon and frees what the call held.

        Raises:
            ProviderError: The engine failed; what was yielded before is good.
        """
        ...

    async def aclose(self) -> None:
        """Let go of models, threads and connections."""
        ...
