"""One conversation needs nothing around it."""

import pytest

import voicesession
from voicesession.core.errors import InvalidValue
from voicesession.core.states import EndReason, SessionState
from voicesession.providers.energy import EnergyVoiceActivityDetector
from voicesession.providers.null import NullSpeechToText, NullTextToSpeech
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.testing.scripted import CallbackAgent

PIPELINE = Pipeline(
    vad=EnergyVoiceActivityDetector(),
    stt=NullSpeechToText(),
    tts=NullTextToSpeech(),
    agent=CallbackAgent(lambda prompt: [prompt.text]),
)


async def test_a_conversation_is_live_inside_the_block_and_completed_after_it() -> None:
    async with voicesession.alone(PIPELINE, user_id="ada", sample_rate=8_000) as call:
        assert call.session.state is SessionState.LIVE
        assert (call.session.user_id, call.session.sample_rate) == ("ada", 8_000)
        await call.process_audio(bytes(320))
        assert call.media_us == 20_000
    assert call.session.end_reason is EndReason.COMPLETED


async def test_it_may_wait_for_the_first_audio() -> None:
    async with voicesession.alone(PIPELINE, SessionConfig(auto_start=True)) as call:
        assert not call.handle.is_live
        await call.process_audio(bytes(640))
        assert call.handle.is_live


async def test_a_parameter_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(InvalidValue, match="sample_rate"):
        async with voicesession.alone(PIPELINE, sample_rate=1):
            pass


async def test_the_exception_of_the_host_comes_out_as_it_is() -> None:
    async def host() -> None:
        async with voicesession.alone(PIPELINE):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        await host()
