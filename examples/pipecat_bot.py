"""A Pipecat bot whose calls are kept; `hold` is called by Pipecat's runner, for each call."""

from collections.abc import Sequence

from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

import voicesession
from voicesession.integrations.pipecat import kept


async def hold(
    voice: voicesession.SessionManager,
    caller: Sequence[FrameProcessor],
    bot: Sequence[FrameProcessor],
) -> str:
    """Run one call: `caller` is the input of the transport, `bot` whatever comes behind it."""
    session = await voice.create(sample_rate=16_000, store_audio=True, store_transcript=True)
    async with voice.attach(session.id) as handle, kept(handle) as call:
        worker = PipelineWorker(
            Pipeline([*caller, call.gate, *bot]),
            observers=[call.observer],
            params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
        )
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()
    return session.id
