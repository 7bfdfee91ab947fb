"""The examples for other people's runtimes: the runtimes are real, their engines are not."""

import runpy
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.integrations.eventually import said_by_now
from tests.patience import PATIENCE_S

from voicesession import SessionManager

EXAMPLES = Path(__file__).parents[2] / "examples"
GLUE_LINES = 40

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def example(name: str) -> Any:
    path = EXAMPLES / name
    code = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(code) <= GLUE_LINES
    return runpy.run_path(str(path))["hold"]


async def said(voice: SessionManager, session_id: str) -> list[str]:
    session = await voice.get(session_id)
    assert session.audio_uri is not None
    return [one.text for one in (await voice.transcript(session_id)).utterances]


async def test_a_livekit_agent(voice: SessionManager) -> None:
    from tests.integrations import livekit_stage

    agents = livekit_stage.scripted(hears="hello there", reply="Good morning.")
    microphone = livekit_stage.Microphone()
    agents.input.audio, agents.output.audio = microphone, livekit_stage.Loudspeaker()
    microphone.speak(60)

    async def close_after_the_answer() -> None:
        session = (await voice.find()).sessions[0]
        await said_by_now(voice, session.id, count=2)
        await agents.aclose()

    kept: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def hold() -> None:
            kept.append(await example("livekit_agent.py")(agents, voice))

        tasks.start_soon(hold)
        await anyio.sleep(0.1)
        tasks.start_soon(close_after_the_answer)
    assert await said(voice, kept[0]) == ["hello there", "Good morning."]


async def test_a_pipecat_bot(voice: SessionManager) -> None:
    from tests.integrations import pipecat_stage

    bot = [
        pipecat_stage.Ears("hello there"),
        pipecat_stage.Mind("Good", "morning."),
        pipecat_stage.Loudspeaker(),
    ]
    with anyio.fail_after(PATIENCE_S):
        session_id = await example("pipecat_bot.py")(voice, [pipecat_stage.Caller()], bot)
    assert await said(voice, session_id) == ["hello there", "Good morning."]


async def test_an_openai_realtime_call(voice: SessionManager) -> None:
    from agents.realtime import RealtimeAgent, RealtimeRunner, model_events
    from agents.realtime.testing import ScriptedRealtimeModel

    heard = model_events.RealtimeModelInputAudioTranscriptionCompletedEvent(
        item_id="u1", transcript="hello there"
    )
    model = ScriptedRealtimeModel(strict=False, connect_events=[heard])
    runner = RealtimeRunner(RealtimeAgent(name="clerk"), model=model)
    session_id = await example("openai_realtime.py")(voice, runner, bytes(960 * 10))
    assert await said(voice, session_id) == ["hello there"]
