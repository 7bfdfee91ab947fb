"""The speech engines: who hears voices, who writes words down, who speaks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import frozen

from ..core.audio import AudioFormat, Encoding
from ..core.errors import InvalidValue
from ..core.heard import SpeechMark
from ..core.utterance import Word

__all__ = (
    "DeclaresLimits",
    "Endpoint",
    "EngineLimits",
    "Final",
    "Flushed",
    "Interim",
    "Marked",
    "MarksProgress",
    "NoiseSuppressionStream",
    "NoiseSuppressor",
    "Recognition",
    "RecognitionStream",
    "SpeechAudio",
    "SpeechMark",
    "SpeechToText",
    "TextToSpeech",
    "TurnDetector",
    "TurnSoFar",
    "VoiceActivityDetector",
    "VoiceActivityStream",
)


@frozen(kw_only=True)
class EngineLimits:
    """What an engine takes or makes, as its maker states it. None: no limit is stated.

    Attributes:
        encodings: Of the audio it takes as it is (a synthesiser: makes). Where ``converts``
            is true others are brought into one of these on the way.
        lowest_hz: The lowest sample rate, as above.
        highest_hz: The highest.
        most_channels: Channels that it tells apart or mixes by itself.
        converts: Every `AudioFormat` may be opened; what the engine itself does not take is
            mixed and resampled before, at some cost.
        longest_stream_us: How long one stream lives, on the clock: open another before.
        longest_audio_us: How much audio one answer may take: flush before.
        longest_text: How many characters one call may speak.
    """

    encodings: frozenset[Encoding] = frozenset(Encoding)
    lowest_hz: int = 8_000
    highest_hz: int = 48_000
    most_channels: int = 2
    converts: bool = False
    longest_stream_us: int | None = None
    longest_audio_us: int | None = None
    longest_text: int | None = None

    def takes(self, audio_format: AudioFormat) -> bool:
        """Whether the engine takes *audio_format* as it is."""
        return (
            audio_format.encoding in self.encodings
            and self.lowest_hz <= audio_format.sample_rate <= self.highest_hz
            and audio_format.channels <= self.most_channels
        )

    def require(self, audio_format: AudioFormat) -> None:
        """Make sure that *audio_format* may be opened.

        Raises:
            InvalidValue: It may not.
        """
        if not (self.converts or self.takes(audio_format)):
            encodings = ", ".join(sorted(self.encodings))
            raise InvalidValue(
                "audio_format",
                audio_format,
                f"{encodings} at {self.lowest_hz} to {self.highest_hz} Hz, "
                f"{self.most_channels} channels at most",
            )


@runtime_checkable
class DeclaresLimits(Protocol):
    """A speech engine that says what it can take, so that nobody finds out in the middle."""

    @property
    def limits(self) -> EngineLimits: ...


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


@frozen
class Endpoint:
    """The engine itself takes the utterance to be over; its last word ended at ``at_us``.

    A hint, from engines that listen for it; it may come late, twice, or not at all. Where a voice is
    heard all the same, and no word for long, that is taken for noise: see `FloorConfig`.
    """

    at_us: int


Recognition: TypeAlias = Interim | Final | Endpoint | Flushed | Marked


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

    Between two flushes the engine may send any number of ``Interim``, ``Final`` and
    ``Endpoint``; after a flush comes exactly one ``Flushed``, behind every result of the audio before it.
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


@frozen(kw_only=True)
class TurnSoFar:
    """What the user has said since they took the floor.

    Attributes:
        text: Final words, then the interim ones behind them.
        language: A BCP 47 tag, or ``auto``.
        is_final: No word is interim, so that punctuation means something.
        asked: What the agent said last; empty where it has said nothing yet.
    """

    text: str
    language: str = "auto"
    is_final: bool = True
    asked: str = ""


class TurnDetector(Protocol):
    """Guesses from what was said whether the user has finished. Shared, without state.

    It only says how long a silence should last before the agent answers: where nobody
    falls silent, nothing is over.
    """

    @property
    def name(self) -> str: ...

    async def probability(self, turn: TurnSoFar, /) -> float:
        """Return how likely it is, 0 to 1, that the user will not go on.

        Asked whenever the words change, so it answers within some milliseconds; what takes
        longer belongs into a thread, and is cancelled when more is said.

        Raises:
            ProviderError: The detector failed; silence alone decides then.
        """
        ...

    async def aclose(self) -> None:
        """Let go of models, threads and connections."""
        ...


class NoiseSuppressor(Protocol):
    """Takes the noise out of a caller's track. Shared by many sessions, long-lived."""

    @property
    def name(self) -> str: ...

    def open(self, audio_format: AudioFormat, /) -> NoiseSuppressionStream:
        """Return a fresh stream for one track; cheap, and never blocks long.

        Raises:
            InvalidValue: The suppressor cannot take this format.
        """
        ...

    async def aclose(self) -> None:
        """Let go of models and threads, after every stream is closed."""
        ...


class NoiseSuppressionStream(Protocol):
    """Cleans one track: sample n that comes out is sample n that went in.

    Runs inline on the audio path: plain calls, no task.
    """

    def push(self, pcm: bytes, /) -> bytes:
        """Return what is clean by now, in the format of the track: whole sample frames.

        What does not fill a window waits for the next call, so less may come out, never more.
        """
        ...

    def finish(self) -> bytes:
        """Return the rest, so that as much has come out as went in; what follows is a new track."""
        ...

    def close(self) -> None:
        """Give the model instance back. The stream is not used again; twice is harmless."""
        ...
