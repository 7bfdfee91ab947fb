"""What every ``TextToSpeech`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import aclosing
from itertools import pairwise

import anyio
import pytest

from ....core.audio import Encoding
from ....ports.speech import SpeechAudio, TextToSpeech
from .examples import PATIENCE_S, name_is_fit_for_metrics

__all__ = ("TextToSpeechContract",)


class TextToSpeechContract(ABC):
    """Subclass it and give it a ``speaker``, which an asynchronous fixture may close again."""

    @pytest.fixture
    @abstractmethod
    def speaker(self) -> TextToSpeech: ...

    async def test_its_name_is_fit_for_metrics(self, speaker: TextToSpeech) -> None:
        assert name_is_fit_for_metrics(speaker.name)

    async def test_it_speaks_16_bit_mono(self, speaker: TextToSpeech) -> None:
        assert speaker.audio_format.encoding is Encoding.PCM_S16LE
        assert speaker.audio_format.channels == 1

    async def test_a_text_becomes_whole_samples_of_sound(self, speaker: TextToSpeech) -> None:
        spoken = await _spoken(speaker, "Hello there, how are you today?")
        assert all(len(piece.pcm) % speaker.audio_format.frame_bytes == 0 for piece in spoken)
        pcm = b"".join(piece.pcm for piece in spoken)
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
        spoken = await _spoken(speaker, text)
        marks = [mark for piece in spoken for mark in piece.marks]
        length_us = speaker.audio_format.duration_us(sum(len(piece.pcm) for piece in spoken))
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
