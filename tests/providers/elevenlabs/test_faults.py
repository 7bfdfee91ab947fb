from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S
from tests.providers.wire.elevenlabs import ElevenLabsServer
from tests.providers.wire.links import Fault, Refusal
from tests.providers.wire.outcomes import FAULTS, KEY, REFUSALS

from voicesession.core.errors import ProviderError, ProviderUnavailable
from voicesession.providers.elevenlabs import ElevenLabsTextToSpeech


@pytest.fixture
def speaker(server: ElevenLabsServer) -> ElevenLabsTextToSpeech:
    return ElevenLabsTextToSpeech("ada", api_key=KEY, base_url=server.url)


@pytest.fixture
def impatient(server: ElevenLabsServer) -> ElevenLabsTextToSpeech:
    return ElevenLabsTextToSpeech(
        "ada", api_key=KEY, base_url=server.url, patience=timedelta(seconds=1)
    )


async def failure_of(speaker: ElevenLabsTextToSpeech) -> ProviderError:
    async def speak() -> None:
        async with aclosing(speaker.speak("Hello there.", language="en")) as speech:
            async for _ in speech:
                pass

    with anyio.fail_after(PATIENCE_S), pytest.raises(ProviderError) as raised:
        await speak()
    assert KEY not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_the_speech_is_told_for_what_it_is(
    speaker: ElevenLabsTextToSpeech,
    impatient: ElevenLabsTextToSpeech,
    server: ElevenLabsServer,
    fault: Fault,
) -> None:
    server.fault = fault
    failure = await failure_of(impatient if fault is Fault.HANG else speaker)
    assert type(failure) is FAULTS[fault]
    assert failure.provider == "elevenlabs"


@pytest.mark.parametrize(("refusal", "kind", "problem"), REFUSALS)
async def test_a_refusal_is_told_for_what_it_is(
    speaker: ElevenLabsTextToSpeech,
    server: ElevenLabsServer,
    refusal: Refusal,
    kind: type[ProviderError],
    problem: str,
) -> None:
    server.refusal = refusal
    failure = await failure_of(speaker)
    assert type(failure) is kind
    assert str(failure) == f"elevenlabs: {problem}"


async def test_an_error_in_place_of_audio_is_told_by_its_name(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    server.error = {"message": f"{KEY} is spent", "error": "quota_exceeded", "code": 1008}
    failure = await failure_of(speaker)
    assert type(failure) is ProviderError
    assert failure.problem == "closed the connection with 1008 (quota_exceeded)"


async def test_a_handshake_that_hangs_is_given_up(
    impatient: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    server.hangs_at_handshake = True
    failure = await failure_of(impatient)
    assert type(failure) is ProviderUnavailable
    assert failure.problem == "no answer in 1 s"
