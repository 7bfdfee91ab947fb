"""Engines fail, hang and come back; the caller need not know."""

from collections.abc import AsyncGenerator, Iterable
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from voicesession.core.breaker import BreakerPolicy
from voicesession.core.errors import ProviderBusy, ProviderError, ProviderUnavailable
from voicesession.core.states import SessionState
from voicesession.core.utterance import Speaker
from voicesession.ports.agent import Prompt, ReplyPart, ToolCall
from voicesession.runtime.chain import Chain
from voicesession.runtime.happenings import (
    AudioUnheard,
    ChangeReason,
    EngineBarred,
    EngineChanged,
    EngineFailed,
    EngineSlow,
    Failed,
    Stage as StageName,
    ToolCalled,
)
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.pipeline import Pipeline, SessionConfig, Timeouts
from voicesession.testing.faults import Faults, FaultyAgent, FaultySpeechToText, FaultyTextToSpeech
from voicesession.testing.scripted import CallbackAgent
from voicesession.testing.stage import PATIENT, Stage, echo

SENTENCE = "one two three four"
SECOND_US = 1_000_000


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


@pytest.fixture
def faults() -> Faults:
    return Faults(name="primary")


def with_faults(stage: Stage, faults: Faults, *, backup: bool = False) -> Pipeline:
    broken = FaultySpeechToText(stage.stt, faults)
    return Pipeline(
        vad=stage.vad,
        stt=Chain(broken, stage.stt) if backup else broken,
        tts=stage.tts,
        agent=CallbackAgent(echo),
    )


async def said(stage: Stage, call: VoiceSession, speaker: Speaker = Speaker.USER) -> str:
    transcript = await stage.voice.transcript(call.session.id)
    return " ".join(u.text for u in transcript.utterances if u.speaker is speaker)


# --- the recogniser -------------------------------------------------------------------------


@settings(max_examples=4 if settings.get_current_profile_name() != "proof" else 500)
@given(pieces=st.integers(0, 80), times=st.integers(1, 4), backup=st.booleans())
async def test_wherever_a_stream_breaks_every_word_is_kept_once(
    pieces: int, times: int, *, backup: bool
) -> None:
    faults = Faults(name="primary")
    async with Stage() as stage:
        async with stage.call(with_faults(stage, faults, backup=backup)) as (call, phone):
            faults.fail("push", after=pieces, times=times)
            await phone.say(SENTENCE)
            await phone.wait(1 * SECOND_US)
            assert call.session.state is SessionState.LIVE
            await phone.wait(8 * SECOND_US, step_us=200_000)
            assert call.session.state is SessionState.LIVE
        assert await said(stage, call) == SENTENCE
        assert len(stage.happenings(EngineFailed)) == len(faults.used)


async def test_a_stream_that_ends_by_itself_is_replaced(stage: Stage) -> None:
    async with stage.call() as (call, phone):
        await phone.say("one two")
        recogniser = call._conductor.ears.recogniser
        assert recogniser._stream is not None
        await recogniser._stream.aclose()
        await phone.say("three")
        await phone.wait(2 * SECOND_US)
    assert await said(stage, call) == "one two three"
    (failed,) = stage.happenings(EngineFailed)
    assert "ended" in failed.error.problem


async def test_a_backup_takes_over_and_gives_back_to_the_primary_when_that_works_again(
    stage: Stage, faults: Faults
) -> None:
    async with stage.call(with_faults(stage, faults, backup=True)) as (call, phone):
        faults.fail_for_good("push", ProviderError("primary", "the key is not valid"))
        await phone.say("one two")
        await phone.wait(3 * SECOND_US)
        (failure,) = stage.happenings(EngineChanged)
        assert (failure.before, failure.after, failure.because) == (
            "primary",
            "scripted",
            ChangeReason.FAILURE,
        )
        faults.heal()
        await phone.say("three")
        await phone.wait(30 * SECOND_US, step_us=200_000)
        assert len(stage.happenings(EngineChanged)) == 1
        await phone.say("four")
        await phone.wait(3 * SECOND_US)
        recovery = stage.happenings(EngineChanged)[-1]
        assert (recovery.after, recovery.because) == ("primary", ChangeReason.RECOVERY)
        await phone.say("five six")
        await phone.wait(3 * SECOND_US)
    assert await said(stage, call) == "one two three four five six"


async def test_a_recogniser_that_does_not_answer_any_more_is_replaced(
    stage: Stage, faults: Faults
) -> None:
    config = SessionConfig(
        floor=PATIENT,
        timeouts=Timeouts(stt=timedelta(seconds=4), lag=timedelta(seconds=1)),
    )
    async with stage.call(with_faults(stage, faults), config=config, turns=30) as (call, phone):
        faults.hang("flush")
        await phone.say("one two")
        await phone.wait(3 * SECOND_US)
        assert stage.happenings(EngineFailed) == []
        (slow,) = stage.happenings(EngineSlow)
        assert (slow.stage, slow.engine) == (StageName.STT, "primary")
        assert slow.lag_us >= SECOND_US
        await phone.wait(3 * SECOND_US)
    assert await said(stage, call) == "one two"
    assert len(stage.happenings(EngineFailed)) == 1


async def test_what_is_said_while_no_engine_can_be_had_is_heard_afterwards(
    stage: Stage, faults: Faults
) -> None:
    async with stage.call(with_faults(stage, faults), turns=20) as (call, phone):
        faults.fail("push")
        faults.fail_for_good("open")
        await phone.say("one two three")
        await phone.wait(2 * SECOND_US)
        assert call.session.state is SessionState.LIVE
        faults.heal()
        await phone.wait(10 * SECOND_US)
        assert await said(stage, call) == "one two three"
        assert "you" in phone.heard_words


async def test_with_no_engine_left_it_says_so_and_goes_on_trying(
    stage: Stage, faults: Faults
) -> None:
    async with stage.call(with_faults(stage, faults), turns=20) as (call, phone):
        faults.fail("push")
        faults.fail_for_good("open")
        await phone.say("one")
        await phone.wait(20 * SECOND_US, step_us=200_000)
        (failed,) = stage.happenings(Failed)
        assert isinstance(failed.error, ProviderError)
        assert call.session.state is SessionState.LIVE
        faults.heal()
        await phone.wait(60 * SECOND_US, step_us=200_000)
        await phone.say("two three")
        await phone.wait(3 * SECOND_US)
    assert (await said(stage, call)).endswith("two three")


async def test_what_waits_for_an_engine_longer_than_it_may_is_told_as_unheard(
    stage: Stage, faults: Faults
) -> None:
    config = SessionConfig(floor=PATIENT, replay=timedelta(seconds=1))
    async with stage.call(with_faults(stage, faults), config=config, turns=20) as (call, phone):
        faults.fail("push")
        faults.fail("open", times=2)
        words = [f"word{number}" for number in range(40)]
        await phone.say(" ".join(words))
        await phone.wait(4 * SECOND_US)
    (unheard,) = stage.happenings(AudioUnheard)
    heard = (await said(stage, call)).split()
    assert 0 < len(heard) < len(words)
    assert words[-len(heard) :] == heard
    lost_us = (len(words) - len(heard)) * stage.lexicon.word_us
    assert abs(unheard.end_us - unheard.start_us - lost_us) <= stage.lexicon.word_us


async def test_a_provider_that_asks_to_be_left_alone_is(stage: Stage, faults: Faults) -> None:
    async with stage.call(with_faults(stage, faults), turns=20) as (call, phone):
        faults.fail("push", ProviderBusy("primary", "429", 5 * SECOND_US))
        await phone.say("one two")
        await phone.wait(4 * SECOND_US)
        assert await said(stage, call) == ""
        await phone.wait(6 * SECOND_US)
        assert await said(stage, call) == "one two"
    assert len(stage.happenings(EngineFailed)) == 1


async def test_what_one_session_learns_of_an_engine_all_of_them_know(
    stage: Stage, faults: Faults
) -> None:
    pipeline = Pipeline(
        vad=stage.vad,
        stt=stage.stt,
        tts=Chain(
            FaultyTextToSpeech(stage.tts, faults),
            stage.tts,
            breaker=BreakerPolicy(failures=2, open_us=60 * SECOND_US),
        ),
        agent=CallbackAgent(echo),
    )
    faults.fail_for_good("speak")
    async with stage.call(pipeline) as (_, phone):
        await phone.say("one")
        await phone.wait(2 * SECOND_US)
        await phone.say("two")
        await phone.wait(2 * SECOND_US)
    (barred,) = stage.happenings(EngineBarred)
    assert (barred.stage, barred.engine) == (StageName.TTS, "primary")
    asked = len(faults.used)
    async with stage.call(pipeline) as (_, phone):
        await phone.say("three")
        await phone.wait(2 * SECOND_US)
        assert phone.heard_words == ["you", "said", "three"]
    assert len(faults.used) == asked


# --- the synthesiser ------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", range(6))
@pytest.mark.parametrize("backup", [True, False])
async def test_wherever_a_synthesiser_breaks_every_word_is_spoken_once(
    stage: Stage, faults: Faults, pieces: int, *, backup: bool
) -> None:
    broken = FaultyTextToSpeech(stage.tts, faults)
    pipeline = Pipeline(
        vad=stage.vad,
        stt=stage.stt,
        tts=Chain(broken, stage.tts) if backup else broken,
        agent=CallbackAgent(echo),
    )
    faults.fail("speak", after=pieces)
    async with stage.call(pipeline) as (call, phone):
        await phone.say("four words of text")
        await phone.wait(6 * SECOND_US)
        assert phone.heard_words == ["you", "said", "four", "words", "of", "text"]
    assert await said(stage, call, Speaker.AGENT) == "you said four words of text"
    assert stage.happenings(Failed) == []


async def test_a_synthesiser_that_hangs_is_given_up(stage: Stage, faults: Faults) -> None:
    pipeline = Pipeline(
        vad=stage.vad,
        stt=stage.stt,
        tts=Chain(FaultyTextToSpeech(stage.tts, faults), stage.tts),
        agent=CallbackAgent(echo),
    )
    config = SessionConfig(floor=PATIENT, timeouts=Timeouts(tts=timedelta(seconds=2)))
    faults.hang("speak", after=1)
    async with stage.call(pipeline, config=config, turns=30) as (_, phone):
        await phone.say("hello")
        await phone.wait(6 * SECOND_US)
        assert phone.heard_words == ["you", "said", "hello"]
    (failed,) = stage.happenings(EngineFailed)
    assert "nothing came for 2 s" in failed.error.problem


async def test_a_reply_that_nobody_can_speak_is_lost_and_the_session_goes_on(
    stage: Stage, faults: Faults
) -> None:
    pipeline = Pipeline(
        vad=stage.vad,
        stt=stage.stt,
        tts=FaultyTextToSpeech(stage.tts, faults),
        agent=CallbackAgent(echo),
    )
    faults.fail("speak", ProviderError("primary", "no such voice"))
    async with stage.call(pipeline) as (_, phone):
        await phone.say("one")
        await phone.wait(2 * SECOND_US)
        (failed,) = stage.happenings(Failed)
        assert isinstance(failed.error, ProviderError)
        await phone.say("two")
        await phone.wait(2 * SECOND_US)
    assert phone.heard_words == ["you", "said", "two"]


# --- the agent ------------------------------------------------------------------------------


def answered_by(stage: Stage, faults: Faults, answer: CallbackAgent) -> Pipeline:
    agent = FaultyAgent(answer, faults)
    return Pipeline(vad=stage.vad, stt=stage.stt, tts=stage.tts, agent=agent)


async def test_an_agent_is_asked_again_as_long_as_nothing_was_heard_of_it(
    stage: Stage, faults: Faults
) -> None:
    faults.fail("reply", times=2)
    async with stage.call(answered_by(stage, faults, CallbackAgent(echo))) as (_, phone):
        await phone.say("hello")
        await phone.wait(6 * SECOND_US)
    assert phone.heard_words == ["you", "said", "hello"]
    assert [f.stage for f in stage.happenings(EngineFailed)] == [StageName.AGENT] * 2
    assert stage.happenings(Failed) == []


async def test_what_an_agent_said_before_it_failed_is_spoken_and_it_is_not_asked_again(
    stage: Stage, faults: Faults
) -> None:
    def two_parts(_prompt: Prompt) -> Iterable[ReplyPart]:
        yield "first part. "
        yield "second part."

    faults.fail("reply", after=1)
    async with stage.call(answered_by(stage, faults, CallbackAgent(two_parts))) as (_, phone):
        await phone.say("hello")
        await phone.wait(4 * SECOND_US)
    assert phone.heard_words == ["first", "part."]
    (failed,) = stage.happenings(Failed)
    assert isinstance(failed.error, ProviderUnavailable)


async def test_an_agent_that_hangs_is_given_up_and_asked_again(
    stage: Stage, faults: Faults
) -> None:
    config = SessionConfig(floor=PATIENT, timeouts=Timeouts(agent=timedelta(seconds=2)))
    faults.hang("reply")
    pipeline = answered_by(stage, faults, CallbackAgent(echo))
    async with stage.call(pipeline, config=config, turns=30) as (_, phone):
        await phone.say("hello")
        await phone.wait(5 * SECOND_US)
    assert phone.heard_words == ["you", "said", "hello"]


async def test_tools_with_side_effects_wait_until_the_turn_is_over_and_run_once(
    stage: Stage,
) -> None:
    called: list[tuple[str, str]] = []

    def with_tools(prompt: Prompt) -> Iterable[ReplyPart]:
        yield ToolCall(id="1", name="look_up", arguments="{}", side_effects=False)
        called.append(("look_up", prompt.text))
        yield ToolCall(id="2", name="order", arguments="{}")
        called.append(("order", prompt.text))
        yield "done"

    pipeline = stage.pipeline(with_tools)
    async with stage.call(pipeline, config=SessionConfig()) as (_, phone):
        await phone.say("a pizza")
        await phone.wait(300_000)  # long enough to begin a reply early, too short to end the turn
        assert {name for name, _ in called} == {"look_up"}
        await phone.say("with everything on it please and soon")
        await phone.wait(3 * SECOND_US)
    orders = [text for name, text in called if name == "order"]
    assert orders == ["a pizza with everything on it please and soon"]
    assert phone.heard_words == ["done"]
    told = [(c.name, c.side_effects) for c in stage.happenings(ToolCalled)]
    assert told[-1] == ("order", True)
    assert told.count(("order", True)) == 1


async def test_an_agent_that_has_called_a_tool_with_side_effects_is_not_asked_again(
    stage: Stage, faults: Faults
) -> None:
    calls = 0

    def order(_prompt: Prompt) -> Iterable[ReplyPart]:
        nonlocal calls
        yield ToolCall(id="1", name="order", arguments="{}")
        calls += 1
        yield "done"

    faults.fail("reply", after=1)
    async with stage.call(answered_by(stage, faults, CallbackAgent(order))) as (_, phone):
        await phone.say("a pizza")
        await phone.wait(6 * SECOND_US)
    assert calls == 1
    assert len(stage.happenings(Failed)) == 1
