"""Our session under Pipecat: what is said and played is kept, and our budget binds it."""

import asyncio
import wave
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from attrs import frozen
from pipecat.frames import frames
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.workers.runner import WorkerRunner
from tests.integrations.eventually import eventually, said_by_now
from tests.integrations.pipecat_stage import RATE_HZ, VOICE, Ears, Loudspeaker, Mind, heard

from voicesession import Limit, SessionHandle, SessionManager
from voicesession.core.accounts import Scope
from voicesession.core.meters import Meter
from voicesession.core.states import PauseReason
from voicesession.core.windows import Window
from voicesession.integrations.pipecat import kept

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

SECOND = 50


@frozen
class Call:
    handle: SessionHandle
    worker: PipelineWorker
    ears: Ears
    loudspeaker: Loudspeaker

    async def hear(self, count: int) -> None:
        until_us = self.handle.media_us + count * 20_000
        for _ in range(count):
            await self.worker.queue_frame(heard())
        await eventually(lambda: self.handle.media_us >= until_us or not self.handle.is_live)


@asynccontextmanager
async def call(
    voice: SessionManager, *words: str, plays: int | None = None
) -> AsyncGenerator[Call]:
    session = await voice.create(sample_rate=RATE_HZ, store_audio=True, store_transcript=True)
    async with voice.attach(session.id) as handle, kept(handle) as keeper:
        ears, loudspeaker = Ears("hello there"), Loudspeaker(plays)
        pipeline = Pipeline([keeper.gate, ears, Mind(*words), loudspeaker])
        params = PipelineParams(enable_metrics=True, enable_usage_metrics=True)
        worker = PipelineWorker(pipeline, observers=[keeper.observer], params=params)
        started = asyncio.Event()

        async def now_started(*_: object) -> None:
            started.set()

        worker.add_event_handler("on_pipeline_started", now_started)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        try:
            await asyncio.wait_for(started.wait(), 10)
            yield Call(handle, worker, ears, loudspeaker)
            await worker.queue_frame(frames.EndFrame())
            await asyncio.wait_for(running, 20)
        finally:
            await worker.cancel()


async def recorded(voice: SessionManager, session_id: str) -> bytes:
    session = await voice.get(session_id)
    with wave.open(str(session.audio_uri).removeprefix("file://")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE_HZ)
        frames_read: bytes = file.readframes(file.getnframes())
    return frames_read


async def test_a_call_is_kept_with_its_words_both_voices_and_its_usage(
    voice: SessionManager,
) -> None:
    async with call(voice, "Good", "morning", "Ada") as live:
        session_id = live.handle.session.id
        live.loudspeaker.meanwhile = live.hear
        await live.hear(SECOND)
        await said_by_now(voice, session_id, count=2)
        await live.hear(5)
    user, agent = (await voice.transcript(session_id)).utterances
    assert (user.speaker, user.text) == ("user", "hello there")
    assert (agent.text, agent.generated_text) == ("Good morning Ada", "Good morning Ada")
    assert (await voice.get(session_id)).status == "completed"
    account = voice.budgets.account(Scope.SESSION, session_id)
    meters = [Meter.LLM_INPUT_TOKENS, Meter.LLM_OUTPUT_TOKENS, Meter.TTS_CHARACTERS]
    used = [standing.spent for standing in await voice.budgets.standings(account, meters)]
    assert used == [7, 3, len("Good morning Ada")]
    assert (await recorded(voice, session_id))[3::4].count(VOICE[1]) == 3 * RATE_HZ // 10


async def test_of_an_interrupted_reply_only_what_was_played_is_kept(voice: SessionManager) -> None:
    async with call(voice, "Once", "upon", "a", "time", plays=2) as live:
        session_id = live.handle.session.id
        await live.hear(SECOND)
        await live.loudspeaker.stuck.wait()
        await live.worker.queue_frame(frames.InterruptionFrame())
        live.loudspeaker.let_go.set()
        await said_by_now(voice, session_id, count=2)
    agent = (await voice.transcript(session_id)).utterances[1]
    assert agent.interrupted
    assert agent.generated_text == "Once upon a time"
    assert agent.generated_text.startswith(agent.text)
    assert agent.text != agent.generated_text


async def test_an_exhausted_budget_lets_no_more_audio_reach_a_recogniser(
    voice: SessionManager,
) -> None:
    async with call(voice) as live:
        account = voice.budgets.account(Scope.SESSION, live.handle.session.id)
        limit = Limit(account=account, meter=Meter.AUDIO_US, window=Window.SESSION, amount=500_000)
        await voice.budgets.set_limit(limit)
        await live.hear(60 * SECOND)
        spent = {PauseReason.BUDGET_EXHAUSTED}
        await eventually(lambda: live.handle.session.pause_reasons == spent)
        taken = live.ears.count
        await live.hear(SECOND)
        await eventually(lambda: live.ears.count == taken)
        assert live.handle.media_us == live.ears.count * 20_000


async def test_ending_our_session_ends_the_pipeline(voice: SessionManager) -> None:
    async with call(voice) as live:
        await live.handle.end()
        await eventually(live.worker.has_finished)
