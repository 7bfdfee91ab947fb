"""
A session under Pipecat: its words, both voices, its usage and its budget.

.. code-block:: python

    async with voice.attach(session.id) as handle, kept(handle) as call:
        pipeline = Pipeline([transport.input(), call.gate, stt, …, tts, transport.output()])
        worker = PipelineWorker(pipeline, observers=[call.observer])
        …                                  # run it as always

The gate stands right behind the transport: what it does not let through (the session is
paused, the budget is used up) nobody hears, and no recogniser is paid for. Everything else
is observed. Usage is charged where Pipecat reports it: ``enable_usage_metrics=True``.
"""

# Pipecat leaves some of its own signatures without types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from attrs import frozen

from ..core.errors import InvalidConfig
from ..core.meters import Meter
from ..core.states import EndReason, SessionState
from ..core.timeline import Track
from ..core.utterance import Speaker
from ..runtime.handle import SessionHandle
from ..runtime.happenings import SessionChanged
from .pcm_tracks import MonoTrack, kept_format
from .scribe import Scribe

try:
    from pipecat.frames import frames
    from pipecat.metrics.metrics import LLMUsageMetricsData, TTSUsageMetricsData
    from pipecat.observers.base_observer import BaseObserver, FramePushed
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
    from pipecat.transports.base_output import BaseOutputTransport
except ModuleNotFoundError as error:
    raise InvalidConfig("integration", "pipecat", "after: pip install pipecat-ai") from error

__all__ = ("KeptCall", "kept")


@frozen
class KeptCall:
    """What of a session goes into a Pipecat pipeline.

    Attributes:
        gate: Stands right behind the input of the transport.
        observer: Is given to the worker.
    """

    gate: FrameProcessor
    observer: BaseObserver


@asynccontextmanager
async def kept(handle: SessionHandle) -> AsyncGenerator[KeptCall]:
    """Keep a Pipecat call in *handle*, for the length of the block; it is LIVE inside.

    The session ends with the pipeline. When it pauses, the bot is interrupted and hears nothing
    until it goes on; when it ends, the pipeline is asked to end.

    Raises:
        InvalidValue: The session's audio is not s16, mono.
        BudgetExhausted: Nothing is left to spend; nothing has begun.
    """
    kept_format(handle.audio_format)
    scribe = Scribe(handle)
    gate = _Gate(handle, scribe)
    async with scribe.writing():
        await handle.live()
        unsubscribe = handle.subscribe(gate.session_changed)
        try:
            yield KeptCall(gate, _Observer(handle, scribe))
            await scribe.written()
        finally:
            unsubscribe()


class _Gate(FrameProcessor):
    """Lets the caller's audio through while the session takes it."""

    def __init__(self, handle: SessionHandle, scribe: Scribe) -> None:
        super().__init__()
        self._handle = handle
        self._scribe = scribe
        self._track = MonoTrack(handle.audio_format.sample_rate)

    async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, frames.InputAudioRawFrame) or await self._takes(frame):
            await self.push_frame(frame, direction)

    async def _takes(self, frame: frames.InputAudioRawFrame) -> bool:
        pcm = self._track.take(frame.audio, frame.sample_rate, frame.num_channels)
        if self._handle.is_over:
            return False
        await self._handle.afford(pcm)
        return self._handle.audio(Track.USER, pcm)

    def session_changed(self, happening: object) -> None:
        """Listen to the session."""
        if not isinstance(happening, SessionChanged):
            return
        if happening.new_state is SessionState.PAUSED:
            self._scribe.do(self.broadcast_interruption)
        elif happening.new_state is SessionState.ENDED:
            ask = partial(self.push_frame, frames.EndWorkerFrame(), FrameDirection.UPSTREAM)
            self._scribe.do(ask)


class _Observer(BaseObserver):
    """Writes down what passes between Pipecat's processors."""

    def __init__(self, handle: SessionHandle, scribe: Scribe) -> None:
        super().__init__()
        self._handle = handle
        self._scribe = scribe
        self._track = MonoTrack(handle.audio_format.sample_rate)
        self._user_began_us: int | None = None
        self._reply = _Reply(handle.media_us)

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.direction is not FrameDirection.DOWNSTREAM or self._handle.is_over:
            return
        if isinstance(data.source, BaseOutputTransport):
            self._played(data.frame)
        if data.first_push:
            self._caller_happened(data.frame)
            self._bot_happened(data.frame)

    def _played(self, frame: frames.Frame) -> None:
        # The output passes frames on when they have been played, words with them.
        if isinstance(frame, frames.OutputAudioRawFrame):
            pcm = self._track.take(frame.audio, frame.sample_rate, frame.num_channels)
            self._handle.audio(Track.AGENT, pcm)
        elif isinstance(frame, frames.TTSTextFrame):
            self._reply.heard(frame)

    def _caller_happened(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.UserStartedSpeakingFrame):
            self._user_began_us = self._handle.media_us
        elif isinstance(frame, frames.InterimTranscriptionFrame):
            self._handle.partial(frame.text)
        elif isinstance(frame, frames.TranscriptionFrame):
            self._transcribed(frame.text.strip())
        elif isinstance(frame, frames.EndFrame):
            self._over(EndReason.COMPLETED)
        elif isinstance(frame, frames.CancelFrame):
            self._over(EndReason.CANCELLED)

    def _bot_happened(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.LLMTextFrame):
            self._reply.generated += frame.text
        elif isinstance(frame, frames.BotStartedSpeakingFrame):
            self._reply.began_us = self._handle.media_us
        elif isinstance(frame, frames.InterruptionFrame):
            self._reply.is_interrupted = True
        elif isinstance(frame, frames.BotStoppedSpeakingFrame):
            self._reply_over()
        elif isinstance(frame, frames.MetricsFrame):
            self._scribe.charge(_usage(frame))

    def _transcribed(self, text: str) -> None:
        if text:
            now_us = self._handle.media_us
            self._scribe.keep(Speaker.USER, text, self._user_began_us or now_us)
        self._user_began_us = None
        # An interruption before the bot has begun again belongs to the turn that is over.
        self._reply = _Reply(self._handle.media_us)

    def _reply_over(self) -> None:
        reply, self._reply = self._reply, _Reply(self._handle.media_us)
        if reply.spoken or reply.generated:
            self._scribe.keep(
                Speaker.AGENT,
                reply.spoken.strip(),
                reply.began_us,
                interrupted=reply.is_interrupted,
                generated=reply.generated.strip() or None,
            )

    def _over(self, reason: EndReason) -> None:
        self._reply_over()
        self._scribe.do(partial(self._handle.end, reason))


class _Reply:
    """What the bot is saying: all of it, and what of it was heard."""

    def __init__(self, began_us: int) -> None:
        self.began_us = began_us
        self.generated = ""
        self.spoken = ""
        self.is_interrupted = False

    def heard(self, frame: frames.TTSTextFrame) -> None:
        """Take a piece of text whose audio was played."""
        has_spaces = frame.includes_inter_frame_spaces or not self.spoken
        self.spoken += frame.text if has_spaces else f" {frame.text}"


def _usage(frame: frames.MetricsFrame) -> Counter[Meter]:
    used: Counter[Meter] = Counter()
    for data in frame.data:
        if isinstance(data, LLMUsageMetricsData):
            used[Meter.LLM_INPUT_TOKENS] += data.value.prompt_tokens
            used[Meter.LLM_OUTPUT_TOKENS] += data.value.completion_tokens
        elif isinstance(data, TTSUsageMetricsData):
            used[Meter.TTS_CHARACTERS] += data.value
    return used
