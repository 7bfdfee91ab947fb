"""With ``auto_start`` a session begins when somebody says something, and not before."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import (
    ProviderError,
    SessionAlreadyActive,
    SessionNotActive,
    WrongThread,
)
from voicesession.core.states import EndReason, SessionState
from voicesession.runtime.happenings import Failed
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.runtime.playout import AgentAudio
from voicesession.testing.scripted import ScriptedRecognition, ScriptedSpeechToText
from voicesession.testing.stage import PATIENT, Stage, echo

SECOND_US = 1_000_000
SELF_STARTING = SessionConfig(auto_start=True, floor=PATIENT)
FRAME = bytes(640)


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


async def is_live(call: VoiceSession) -> None:
    while call.session.state is not SessionState.LIVE:
        await checkpoint()


async def test_it_stays_connecting_until_the_first_audio(stage: Stage) -> None:
    async with stage.call(config=SELF_STARTING) as (call, _):
        assert not call.handle.is_live
        await call.process_audio(FRAME)
        assert call.handle.is_live
        assert call.media_us == 20_000
    assert call.session.end_reason is EndReason.COMPLETED


async def test_a_whole_conversation_is_held_as_in_any_other_session(stage: Stage) -> None:
    async with stage.call(config=SELF_STARTING) as (_, phone):
        await phone.say("good morning")
        await phone.wait(2 * SECOND_US)
    assert phone.heard_words == ["you", "said", "good", "morning"]


async def test_the_first_words_of_the_agent_start_it_and_are_heard(stage: Stage) -> None:
    async with stage.call(config=SELF_STARTING) as (call, phone):
        greeting, question = call.say("hello there"), call.say("who is it")
        await is_live(call)
        await phone.wait(3 * SECOND_US)
        await greeting.wait_for_playout()
        await question.wait_for_playout()
    assert greeting.spoken_text == "hello there"
    assert phone.heard_words == ["hello", "there", "who", "is", "it"]


async def test_what_was_interrupted_before_the_start_is_never_said(stage: Stage) -> None:
    async with stage.call(config=SELF_STARTING) as (call, phone):
        regretted, wanted = call.say("hello"), call.say("good morning")
        regretted.interrupt()
        await is_live(call)
        await phone.wait(2 * SECOND_US)
    assert regretted.interrupted
    assert not wanted.interrupted
    assert phone.heard_words == ["good", "morning"]


async def test_of_many_who_come_first_one_starts_it(stage: Stage) -> None:
    async with stage.call(config=SELF_STARTING) as (call, _):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call.process_audio, FRAME)
        assert call.media_us == 100_000
        with pytest.raises(SessionAlreadyActive):
            await call.start()


async def test_who_waits_for_audio_waits_for_the_start_as_well(stage: Stage) -> None:
    heard: list[bytes] = []

    async def listen(call: VoiceSession) -> None:
        async for piece in call.audio():
            heard.append(piece.pcm)
            call.played(piece)

    async with anyio.create_task_group() as tasks, stage.call(config=SELF_STARTING) as (call, _):
        tasks.start_soon(listen, call)
        speech = call.say("one two")
        for _ in range(200):
            await call.settled()
            stage.clock.advance(20_000)
            if speech.is_over:
                break
    assert b"".join(heard) == stage.lexicon.speech("one two")


async def test_a_session_in_which_nobody_said_a_word_ends_all_the_same(stage: Stage) -> None:
    heard: list[AgentAudio] = []

    async def listen(call: VoiceSession) -> None:
        heard.extend([piece async for piece in call.audio()])

    async with anyio.create_task_group() as tasks, stage.call(config=SELF_STARTING) as (call, _):
        tasks.start_soon(listen, call)
        await checkpoint()
    assert call.session.end_reason is EndReason.COMPLETED
    assert not heard
    with pytest.raises(SessionNotActive):
        await call.process_audio(FRAME)


@pytest.mark.parametrize("words", ["", "good morning"])
async def test_a_host_that_fails_gets_its_own_exception_and_loses_no_word(
    stage: Stage, words: str
) -> None:
    calls: list[VoiceSession] = []

    async def host() -> None:
        async with stage.call(config=SELF_STARTING) as (call, phone):
            calls.append(call)
            if words:
                await phone.say(words)
            raise KeyError("the host's own")

    with pytest.raises(KeyError):
        await host()
    (call,) = calls
    assert call.session.end_reason is EndReason.ERROR
    assert (await stage.voice.transcript(call.session.id)).text == words


async def test_an_engine_that_cannot_be_had_is_asked_again_with_the_next_audio(
    stage: Stage,
) -> None:
    class Shy(ScriptedSpeechToText):
        is_there = False

        async def open(self, audio_format: AudioFormat, /, *, language: str) -> ScriptedRecognition:
            if not self.is_there:
                raise ProviderError("shy", "not yet")
            return await super().open(audio_format, language=language)

    whole, shy = stage.pipeline(echo), Shy(stage.lexicon)
    pipeline = Pipeline(vad=whole.vad, stt=shy, tts=whole.tts, agent=whole.agent)
    async with stage.call(pipeline, config=SELF_STARTING) as (call, _):
        with pytest.raises(ProviderError):
            await call.process_audio(FRAME)
        told: list[object] = []
        call.subscribe(told.append)
        speech = call.say("hello")
        await speech.wait_for_playout()
        assert speech.interrupted
        assert any(isinstance(each, Failed) for each in told)
        shy.is_there = True
        await call.process_audio(FRAME)
        assert call.session.state is SessionState.LIVE


async def test_a_foreign_thread_cannot_start_it(stage: Stage) -> None:
    async with stage.call(config=SELF_STARTING) as (call, _):
        with pytest.raises(WrongThread):
            await to_thread.run_sync(call.say, "hello")


async def test_without_it_nothing_starts_by_itself(stage: Stage) -> None:
    async with stage.call() as (call, _):
        assert call.session.state is SessionState.LIVE
