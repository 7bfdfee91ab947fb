"""Engines that never wait keep nobody else waiting, and nothing of a turn is left behind."""

import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest
from anyio.lowlevel import checkpoint

import voicesession
from voicesession.core.utterance import Speaker
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.ports.speech import SpeechAudio
from voicesession.providers.null import (
    NullSpeechToText,
    NullTextToSpeech,
    NullVoiceActivityDetector,
)
from voicesession.runtime.happenings import EngineUsed, Stage, UtteranceStored
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.pipeline import Pipeline

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


class QuickAgent:
    """Knows its answer before it is asked."""

    name = "quick"

    async def reply(self, _prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        yield "Yes."


@pytest.fixture
def tts() -> TirelessTextToSpeech:
    return TirelessTextToSpeech()


@pytest.fixture
async def call(tts: TirelessTextToSpeech) -> AsyncGenerator[VoiceSession]:
    pipeline = Pipeline(
        vad=NullVoiceActivityDetector(),
        stt=NullSpeechToText(),
        tts=tts,
        agent=QuickAgent(),
    )
    async with voicesession.alone(pipeline) as call:
        yield call


async def test_a_reply_is_heard_before_all_of_it_is_made(
    call: VoiceSession, tts: TirelessTextToSpeech
) -> None:
    made_by_then: list[int] = []

    async def listen() -> None:
        async with aclosing(call.audio()) as audio:
            await anext(audio)
            made_by_then.append(tts.made)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await checkpoint()
        call.say("A long story.")
    assert made_by_then[0] < PIECES


async def test_an_answer_that_is_there_at_once_is_heard_before_the_question_is_stored(
    call: VoiceSession,
) -> None:
    order: list[str] = []

    def follow(happening: object) -> None:
        if isinstance(happening, UtteranceStored) and happening.utterance.speaker is Speaker.USER:
            order.append("stored")

    call.subscribe(follow)
    async with aclosing(call.audio()) as audio, anyio.create_task_group() as tasks:

        async def listen() -> None:
            await anext(audio)
            order.append("heard")

        tasks.start_soon(listen)
        await checkpoint()
        call.send_text("Is it true?")
        await call.settled()
    assert order == ["heard", "stored"]


async def test_a_reply_is_heard_before_its_voice_is_paid_and_paid_even_if_it_is_cut(
    call: VoiceSession,
) -> None:
    order: list[str] = []

    def follow(happening: object) -> None:
        if isinstance(happening, EngineUsed) and happening.stage is Stage.TTS:
            order.append("paid")

    call.subscribe(follow)
    async with aclosing(call.audio()) as audio, anyio.create_task_group() as tasks:

        async def listen() -> None:
            await anext(audio)
            order.append("heard")
            call.interrupt()

        tasks.start_soon(listen)
        await checkpoint()
        call.say("A long story.")
        await call.settled()
    assert order == ["heard", "paid"]


async def test_a_turn_leaves_nothing_to_the_garbage_collector(call: VoiceSession) -> None:
    async def take_turns(count: int) -> None:
        async with aclosing(call.audio()) as audio:
            for _ in range(count):
                call.send_text("Is it true?")
                await call.settled()
                call.played(await anext(audio))
                call.interrupt()
                await call.settled()

    await take_turns(2)  # what is made once
    gc.collect()
    gc.disable()
    try:
        await take_turns(5)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = [kind for each in gc.garbage if "voicesession" in (kind := type(each)).__module__]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert ours == []
