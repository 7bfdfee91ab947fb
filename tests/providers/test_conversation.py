"""All three vendors in one conversation, over their own wires."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from tests.providers.wire.deepgram import DeepgramServer
from tests.providers.wire.elevenlabs import ElevenLabsServer
from tests.providers.wire.openai import Call, OpenAIServer

import voicesession
from voicesession import Pipeline
from voicesession.providers.deepgram import DeepgramSpeechToText
from voicesession.providers.elevenlabs import ElevenLabsTextToSpeech
from voicesession.providers.openai import OpenAIAgent, Tool
from voicesession.runtime.clock import SteppedClock
from voicesession.testing.scripted import ScriptedVoiceActivityDetector

FRAME = 640


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def vendors() -> Generator[tuple[DeepgramServer, ElevenLabsServer, OpenAIServer]]:
    with ExitStack() as stack:
        yield (
            stack.enter_context(DeepgramServer().running()),
            stack.enter_context(ElevenLabsServer().running()),
            stack.enter_context(OpenAIServer().running()),
        )


async def test_a_spoken_question_is_answered_aloud_after_a_tool_was_asked(
    vendors: tuple[DeepgramServer, ElevenLabsServer, OpenAIServer],
) -> None:
    deepgram, elevenlabs, openai = vendors
    ordered: list[int] = []

    async def order(arguments: object) -> str:
        assert isinstance(arguments, dict)
        ordered.append(arguments["cups"])
        return "done"

    # An answer may be begun more than once before the turn is over; the order is made once.
    openai.replies = [[Call("order", '{"cups": 2}')]] * 20
    openai.after_tools = ["Two coffees ", "are on their way."]
    agent = OpenAIAgent(
        "m",
        base_url=openai.url,
        api_key="k",
        tools=[Tool(name="order", description="Orders.", call=order)],
    )
    pipeline = Pipeline(
        vad=ScriptedVoiceActivityDetector(),
        stt=DeepgramSpeechToText(base_url=deepgram.url, api_key="k"),
        tts=ElevenLabsTextToSpeech("ada", base_url=elevenlabs.url, api_key="k"),
        agent=agent,
    )
    lexicon = deepgram.lexicon
    caller = (
        lexicon.silence(400_000)
        + lexicon.speech("two coffees please my friend")
        + lexicon.silence(4_000_000)
    )
    clock = SteppedClock(datetime(2026, 11, 21, tzinfo=UTC))
    heard = b""
    async with voicesession.open("memory://", clock=clock) as voice:
        session = await voice.create(user_id="ada", language="en", store_transcript=True)
        async with voice.converse(session.id, pipeline) as call:
            for start in range(0, len(caller), FRAME):
                await call.process_audio(caller[start : start + FRAME])
                await call.settled()
                for piece in call.take_audio():
                    heard += piece.pcm
                    call.played(piece)
                clock.advance(20_000)
        said = [(u.speaker, u.text) for u in (await voice.transcript(session.id)).utterances]
    for engine in (agent, pipeline.tts, pipeline.stt):
        await engine.aclose()
    assert said == [
        ("user", "two coffees please my friend"),
        ("agent", "Two coffees are on their way."),
    ]
    assert any(heard)
    assert ordered == [2]
