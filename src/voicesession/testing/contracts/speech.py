"""What every ``VoiceActivityDetector``, ``SpeechToText`` and ``TextToSpeech`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import aclosing
from itertools import pairwise

import anyio
import pytest

from ...core.audio import AudioFormat, Encoding
from ...ports.speech import (
    Final,
    Flushed,
    Interim,
    Marked,
    MarksProgress,
    Recognition,
    RecognitionStream,
    SpeechAudio,
    SpeechToText,
    TextToSpeech,
    VoiceActivityDetector,
    VoiceActivityStream,
)

__all__ = (
    "MarksProgressContract",
    "SpeechToTextContract",
    "TextToSpeechContract",
    "VoiceActivityDetectorContract",
)

FORMAT = AudioFormat()
FRAME_BYTES = FORMAT.bytes_at(20_000)
SIZES = (FRAME_BYTES, 322, 7_778)
"""What callers push at a time: a frame of 20 ms, and what no window is a multiple of."""
PATIENCE_S = 60


def _name_is_fit_for_metrics(name: str) -> bool:
    return 0 < len(name) <= 40 and name == name.lower() and name.isascii() and " " not in name


def _pieces(pcm: bytes, size: int = FRAME_BYTES) -> Iterator[tuple[bytes, int]]:
    """Yield *pcm* in pieces of *size* bytes, each with its place in time."""
    for at in range(0, len(pcm), size):
        yield pcm[at : at + size], FORMAT.duration_us(at)


class VoiceActivityDetectorContract(ABC):
    """Subclass it and give it a ``detector`` and a ``voice``."""

    @pytest.fixture
    @abstractmethod
    def detector(self) -> VoiceActivityDetector: ...

    @pytest.fixture
    @abstractmethod
    def voice(self) -> bytes:
        """Some seconds of speech, s16le, mono, 16 kHz."""

    def test_its_name_is_fit_for_metrics(self, detector: VoiceActivityDetector) -> None:
        assert _name_is_fit_for_metrics(detector.name)

    def test_every_window_gets_one_probability(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        stream = detector.open(FORMAT)
        probabilities = stream.push(voice)
        assert len(probabilities) == FORMAT.duration_us(len(voice)) // stream.window_us
        assert all(0 <= probability <= 1 for probability in probabilities)

    def test_a_voice_is_speech_and_silence_is_not(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        silence = bytes(FORMAT.bytes_at(1_000_000))
        assert max(detector.open(FORMAT).push(silence)) < 0.5
        assert max(detector.open(FORMAT).push(voice)) > 0.5

    @pytest.mark.parametrize("size", [*SIZES, 1, 2])
    def test_pieces_of_any_size_give_the_same(
        self, detector: VoiceActivityDetector, voice: bytes, size: int
    ) -> None:
        whole = detector.open(FORMAT).push(voice[:32_000])
        stream = detector.open(FORMAT)
        assert _heard(stream, voice[:32_000], size) == pytest.approx(whole, abs=1e-6)

    def test_streams_do_not_hear_each_other(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        alone = _heard(detector.open(FORMAT), voice)
        one, other = detector.open(FORMAT), detector.open(FORMAT)
        together: list[float] = []
        for piece, _ in _pieces(voice):
            together.extend(one.push(piece))
            other.push(bytes(len(piece)))
        assert together == pytest.approx(alone, abs=1e-6)

    def test_a_stream_knows_nothing_of_the_one_before(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        first = detector.open(FORMAT)
        heard = _heard(first, voice)
        first.close()
        assert _heard(detector.open(FORMAT), voice) == pytest.approx(heard, abs=1e-6)

    def test_closing_twice_is_harmless(self, detector: VoiceActivityDetector) -> None:
        stream = detector.open(FORMAT)
        stream.close()
        stream.close()
        one, other = detector.open(FORMAT), detector.open(FORMAT)
        assert one.push(bytes(64_000)) == pytest.approx(other.push(bytes(64_000)), abs=1e-6)

    @pytest.mark.parametrize("encoding", Encoding)
    @pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000])
    def test_it_takes_the_formats_of_callers(
        self, detector: VoiceActivityDetector, encoding: Encoding, sample_rate: int
    ) -> None:
        audio_format = AudioFormat(encoding, sample_rate, 2)
        stream = detector.open(audio_format)
        probabilities = stream.push(bytes(audio_format.bytes_at(10 * stream.window_us)))
        # A resampler may hold the last window back.
        assert 9 <= len(probabilities) <= 10
        stream.close()

    async def test_it_closes(self, detector: VoiceActivityDetector) -> None:
        detector.open(FORMAT).close()
        await detector.aclose()


def _heard(stream: VoiceActivityStream, pcm: bytes, size: int = FRAME_BYTES) -> list[float]:
    return [p for piece, _ in _pieces(pcm, size) for p in stream.push(piece)]


class SpeechToTextContract(ABC):
    """Subclass it and give it a ``recogniser`` and what is ``said`` to it."""

    @pytest.fixture
    @abstractmethod
    def recogniser(self) -> SpeechToText: ...

    @pytest.fixture
    @abstractmethod
    def said(self) -> tuple[str, bytes]:
        """A sentence in lower case, and its audio with a pause around it: s16le, mono, 16 kHz."""

    def test_its_name_is_fit_for_metrics(self, recogniser: SpeechToText) -> None:
        assert _name_is_fit_for_metrics(recogniser.name)

    @pytest.mark.parametrize("size", SIZES)
    async def test_what_was_said_is_written_down(
        self, recogniser: SpeechToText, said: tuple[str, bytes], size: int
    ) -> None:
        text, pcm = said
        stream = await recogniser.open(FORMAT, language="en")
        for piece, at_us in _pieces(pcm, size):
            stream.push(piece, at_us)
        assert _words(await _answer(stream)) == text.split()
        await stream.aclose()

    async def test_words_lie_where_they_were_pushed(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        _, pcm = said
        begins_us = 3_600_000_000
        stream = await recogniser.open(FORMAT, language="en")
        for piece, at_us in _pieces(pcm):
            stream.push(piece, begins_us + at_us)
        ends_us = begins_us + FORMAT.duration_us(len(pcm))
        for result in await _answer(stream):
            if isinstance(result, Interim | Final):
                assert begins_us <= result.start_us <= result.end_us <= ends_us
                times = [(word.start_us, word.end_us) for word in result.words]
                assert all(result.start_us <= s <= e <= result.end_us for s, e in times)
                assert times == sorted(times)
        await stream.aclose()

    async def test_silence_has_no_words(self, recogniser: SpeechToText) -> None:
        stream = await recogniser.open(FORMAT, language="en")
        stream.push(bytes(FORMAT.bytes_at(2_000_000)), 0)
        assert [r for r in await _answer(stream) if isinstance(r, Final)] == []
        await stream.aclose()

    async def test_each_flush_is_answered_once_behind_the_words_before_it(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        text, pcm = said
        stream = await recogniser.open(FORMAT, language="en")
        at_us = 0
        for flushes in (1, 3, 1):
            stream.push(pcm, at_us)
            at_us += FORMAT.duration_us(len(pcm))
            for _ in range(flushes):
                stream.flush()
        answers = [_words(await _results(stream)) for _ in range(5)]
        assert answers == [text.split(), text.split(), [], [], text.split()]
        await stream.aclose()

    async def test_streams_do_not_hear_each_other(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        text, pcm = said
        streams = [await recogniser.open(FORMAT, language="en") for _ in range(3)]
        for piece, at_us in _pieces(pcm):
            for index, stream in enumerate(streams):
                stream.push(piece if index else bytes(len(piece)), at_us)
        answers: dict[int, list[str]] = {}

        async def collect(index: int) -> None:
            answers[index] = _words(await _answer(streams[index]))

        async with anyio.create_task_group() as group:
            for index in range(3):
                group.start_soon(collect, index)
        assert answers == {0: [], 1: text.split(), 2: text.split()}
        for stream in streams:
            await stream.aclose()

    async def test_closing_ends_the_iteration(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        stream = await recogniser.open(FORMAT, language="en")
        listening = anyio.Event()

        async def listen() -> None:
            listening.set()
            async for _ in stream:
                pass

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                await listening.wait()
                stream.push(said[1], 0)
                await stream.aclose()
        await stream.aclose()
        assert [result async for result in stream] == []

    async def test_it_closes(self, recogniser: SpeechToText) -> None:
        await (await recogniser.open(FORMAT, language="auto")).aclose()
        await recogniser.aclose()


class MarksProgressContract(SpeechToTextContract):
    """For recognisers whose streams have `MarksProgress`: it takes the place of the other."""

    async def test_each_mark_is_answered_once_in_its_place(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        stream = await recogniser.open(FORMAT, language="en")
        assert isinstance(stream, MarksProgress)
        stream.push(said[1], 0)
        stream.mark()
        stream.mark()
        stream.flush()
        stream.mark()
        stream.flush()
        answers = [r for _ in range(2) for r in await _results(stream)]
        answers = [r for r in answers if isinstance(r, Marked | Flushed)]
        assert answers == [Marked(), Marked(), Flushed(), Marked(), Flushed()]
        await stream.aclose()

    async def test_a_mark_flushes_nothing(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        text, pcm = said
        stream = await recogniser.open(FORMAT, language="en")
        assert isinstance(stream, MarksProgress)
        for piece, at_us in _pieces(pcm):
            stream.push(piece, at_us)
            stream.mark()
        assert _words(await _answer(stream)) == text.split()
        await stream.aclose()


async def _answer(stream: RecognitionStream) -> list[Recognition]:
    stream.flush()
    return await _results(stream)


async def _results(stream: RecognitionStream) -> list[Recognition]:
    """Return what comes until the next flush is answered."""
    results: list[Recognition] = []
    with anyio.fail_after(PATIENCE_S):
        async for result in stream:
            results.append(result)
            if isinstance(result, Flushed):
                break
    return results


def _words(results: list[Recognition]) -> list[str]:
    text = " ".join(result.text for result in results if isinstance(result, Final))
    return "".join(c for c in text.lower() if c.isalnum() or c in " '").split()


class TextToSpeechContract(ABC):
    """Subclass it and give it a ``speaker``."""

    @pytest.fixture
    @abstractmethod
    def speaker(self) -> TextToSpeech: ...

    def test_its_name_is_fit_for_metrics(self, speaker: TextToSpeech) -> None:
        assert _name_is_fit_for_metrics(speaker.name)

    def test_it_speaks_16_bit_mono(self, speaker: TextToSpeech) -> None:
        assert speaker.audio_format.encoding is Encoding.PCM_S16LE
        assert speaker.audio_format.channels == 1

    async def test_a_text_becomes_whole_samples_of_sound(self, speaker: TextToSpeech) -> None:
        pieces = await _spoken(speaker, "Hello there, how are you today?")
        assert all(len(piece.pcm) % speaker.audio_format.frame_bytes == 0 for piece in pieces)
        pcm = b"".join(piece.pcm for piece in pieces)
        assert 500_000 < speaker.audio_format.duration_us(len(pcm)) < 10_000_000
        assert any(pcm)

    async def test_a_longer_text_takes_longer(self, speaker: TextToSpeech) -> None:
        assert await _length(speaker, "One, two, three, four.") > await _length(speaker, "One.")

    @pytest.mark.parametrize(
        "text",
        [
            "Hello.",
            "Well, it is five o'clock. Time to go!",
            " Some space,  around. ",
            "It costs 1,234.50 dollars; ünïcödé — and 😀 done",
            "word " * 80,
        ],
    )
    async def test_marks_ascend_and_lie_within_the_text_and_its_audio(
        self, speaker: TextToSpeech, text: str
    ) -> None:
        pieces = await _spoken(speaker, text)
        marks = [mark for piece in pieces for mark in piece.marks]
        length_us = speaker.audio_format.duration_us(sum(len(piece.pcm) for piece in pieces))
        assert all(0 < mark.text_end <= len(text) for mark in marks)
        assert all(0 <= mark.at_us <= length_us for mark in marks)
        for before, after in pairwise(marks):
            assert before.text_end < after.text_end
            assert before.at_us <= after.at_us

    @pytest.mark.parametrize("text", ["", " ", "\n"])
    async def test_nothing_to_say_is_no_failure(self, speaker: TextToSpeech, text: str) -> None:
        await _spoken(speaker, text)

    async def test_a_closed_generator_leaves_the_voice_free(self, speaker: TextToSpeech) -> None:
        with anyio.fail_after(PATIENCE_S):
            for _ in range(20):
                async with aclosing(speaker.speak("word " * 500, language="en")) as speech:
                    async for piece in speech:
                        assert piece.pcm
                        break
            assert await _length(speaker, "Still here.") > 0

    async def test_a_cancelled_listener_leaves_the_voice_free(self, speaker: TextToSpeech) -> None:
        async def listen() -> None:
            await _spoken(speaker, "word " * 500)

        with anyio.fail_after(PATIENCE_S):
            for _ in range(5):
                async with anyio.create_task_group() as group:
                    group.start_soon(listen)
                    await anyio.lowlevel.checkpoint()
                    group.cancel_scope.cancel()
            assert await _length(speaker, "Still here.") > 0

    async def test_texts_spoken_at_once_do_not_mix(self, speaker: TextToSpeech) -> None:
        texts = ["One.", "One, two, three, four, five, six.", "seven " * 20]
        alone = [await _length(speaker, text) for text in texts]
        together = [0] * len(texts)

        async def speak(index: int) -> None:
            together[index] = await _length(speaker, texts[index])

        async with anyio.create_task_group() as group:
            for index in range(len(texts)):
                group.start_soon(speak, index)
        # No synthesiser is exact to the sample; a mixed-up word would be more than this.
        assert together == pytest.approx(alone, rel=0.02)

    async def test_it_closes(self, speaker: TextToSpeech) -> None:
        await speaker.aclose()


async def _spoken(speaker: TextToSpeech, text: str) -> list[SpeechAudio]:
    async with aclosing(speaker.speak(text, language="en")) as speech:
        return [piece async for piece in speech]


async def _length(speaker: TextToSpeech, text: str) -> int:
    return sum(len(piece.pcm) for piece in await _spoken(speaker, text))
