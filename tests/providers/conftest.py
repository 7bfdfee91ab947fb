"""Speech for the tests, made by our own eSpeak adapter and brought to 16 kHz."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import anyio
import pytest

from voicesession.core.audio import AudioFormat
from voicesession.core.resample import Resampler
from voicesession.providers.offline.espeak import EspeakTextToSpeech


@pytest.fixture(scope="session")
def say() -> Callable[[str], bytes]:
    """Return what says a text: s16le, mono, 16 kHz, with a pause around it.

    It runs a loop of its own, so it is called by fixtures and plain tests.
    """
    speaker = EspeakTextToSpeech("en-us+f3", rate_wpm=150)
    pause = bytes(AudioFormat().bytes_at(400_000))

    async def speak(text: str) -> bytes:
        return b"".join([piece.pcm async for piece in speaker.speak(text, language="en")])

    @cache
    def said(text: str) -> bytes:
        resampler = Resampler(speaker.audio_format.sample_rate, AudioFormat().sample_rate)
        speech = resampler.push(anyio.run(speak, text)) + resampler.finish()
        return pause + speech + pause

    return said


@pytest.fixture(scope="session")
def voice(say: Callable[[str], bytes]) -> bytes:
    """Some seconds of speech."""
    return say("tell me a long story")
