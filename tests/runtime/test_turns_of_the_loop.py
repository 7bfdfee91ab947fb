"""Engines that never wait keep nobody else waiting."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from anyio.lowlevel import checkpoint

import voicesession
from voicesession.ports.speech import SpeechAudio
from voicesession.providers.null import (
    NullSpeechToText,
    NullTextToSpeech,
    NullVoiceActivityDetector,
)
from voicesession.runtime.pipeline import Pipeline
from voicesession.testing.scripted import CallbackAgent

PIECES = 10


class TirelessTextToSpeech(NullTextToSpeech):
    """Makes one piece of speech after the other, and never waits for anything."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:
        for _ in range(PIECES):
            self.made += 1
            yield SpeechAudio(pcm=bytes(640))


async def test_a_reply_is_heard_before_all_of_it_is_made() -> None:
    tts = TirelessTextToSpeech()
    pipeline = Pipeline(
        vad=NullVoiceActivityDetector(),
        stt=NullSpeechToText(),
        tts=tts,
        agent=CallbackAgent(lambda _prompt: "yes"),
    )
    async with voicesession.alone(pipeline) as call, aclosing(call.audio()) as audio:
        made_by_then: list[int] = []

        async def listen() -> None:
            await anext(audio)
            made_by_then.append(tts.made)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await checkpoint()
            call.say("A long story.")
    assert made_by_then[0] < PIECES
