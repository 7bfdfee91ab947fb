"""
A realtime call of the OpenAI Agents SDK that needs nobody: the SDK is real, its model is not.

It takes seconds to import: only by the tests that use it, when they run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from agents import Usage
from agents.realtime import RealtimeAgent, RealtimeRunner, model_events
from agents.realtime.testing import ScriptedRealtimeModel
from attrs import frozen
from tests.integrations.sound import VOICE

from voicesession import SessionHandle, SessionManager
from voicesession.integrations.openai_agents import KeptCall, kept

RATE_HZ = 24_000
FRAME = b"\x01\x00" * (RATE_HZ // 50)


@frozen
class Call:
    handle: SessionHandle
    model: ScriptedRealtimeModel
    kept: KeptCall

    async def hear(self, frames: int) -> list[bool]:
        return [await self.kept.send_audio(FRAME) for _ in range(frames)]

    async def say(self, *events: Any) -> None:
        """Have the model send *events*, and wait until they have been seen."""
        await self.model.emit(*events)
        await anyio.wait_all_tasks_blocked()


@asynccontextmanager
async def call(voice: SessionManager) -> AsyncGenerator[Call]:
    """Hold a realtime call of the SDK, under a session of ours."""
    session = await voice.create(sample_rate=RATE_HZ, store_audio=True, store_transcript=True)
    model = ScriptedRealtimeModel(strict=False)
    runner = RealtimeRunner(RealtimeAgent(name="clerk"), model=model)
    async with (
        voice.attach(session.id) as handle,
        await runner.run() as realtime,
        kept(realtime, handle) as keeper,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_drain, keeper)
        yield Call(handle, model, keeper)
        tasks.cancel_scope.cancel()
    async with voice.attach(session.id) as handle:
        await handle.end()


async def _drain(keeper: KeptCall) -> None:
    async for _ in keeper:
        pass


def audio(seconds: float) -> Any:
    return model_events.RealtimeModelAudioEvent(
        data=VOICE * round(RATE_HZ * seconds), response_id="r1", item_id="a1", content_index=0
    )


def words(text: str) -> Any:
    return model_events.RealtimeModelTranscriptDeltaEvent(
        item_id="a1", delta=text, response_id="r1"
    )


def usage(*, input_tokens: int, output_tokens: int) -> Any:
    spent = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    return model_events.RealtimeModelUsageEvent(usage=spent)


def heard(text: str) -> Any:
    return model_events.RealtimeModelInputAudioTranscriptionCompletedEvent(
        item_id="u1", transcript=text
    )


TURN_STARTED: Any = model_events.RealtimeModelTurnStartedEvent(response_id="r1")
TURN_ENDED: Any = model_events.RealtimeModelTurnEndedEvent(response_id="r1")
INTERRUPTED: Any = model_events.RealtimeModelAudioInterruptedEvent(item_id="a1", content_index=0)
