"""
The scenes of ``runtime.py``, played by livekit-agents: its own `AgentSession`, with a stand-in for each
engine that takes no time, and a microphone and a loudspeaker in place of a room.

Voice is not detected here either: the recogniser says that the user has finished, when a loud frame
comes. So the session does what it would with a recogniser that finds turns itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from statistics import quantiles
from typing import Any, Final

from livekit import rtc
from livekit.agents import Agent, AgentSession, APIConnectOptions, llm, stt, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io

RATE_HZ: Final = 16_000
FRAME_S: Final = 0.02
FRAME_SAMPLES: Final = int(RATE_HZ * FRAME_S)
TURNS: Final = 5
_SILENCE: Final = bytes(FRAME_SAMPLES * 2)
_FINISHED: Final = b"\x01\x00" * FRAME_SAMPLES


def _frame(pcm: bytes) -> rtc.AudioFrame:
    return rtc.AudioFrame(
        data=pcm, sample_rate=RATE_HZ, num_channels=1, samples_per_channel=FRAME_SAMPLES
    )


class Ears(stt.STT[Any]):
    """Hears nothing but that the user has finished."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("only streams are asked for")

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> stt.RecognizeStream:
        return _Hearing(stt=self, conn_options=conn_options)


class _Hearing(stt.RecognizeStream):
    async def _run(self) -> None:
        kinds = stt.SpeechEventType
        said = [stt.SpeechData(language="en", text="hello", confidence=1.0)]  # type: ignore[arg-type]
        async for piece in self._input_ch:
            if isinstance(piece, rtc.AudioFrame) and piece.data[0]:
                self._event_ch.send_nowait(stt.SpeechEvent(type=kinds.START_OF_SPEECH))
                self._event_ch.send_nowait(
                    stt.SpeechEvent(type=kinds.FINAL_TRANSCRIPT, alternatives=said)
                )
                self._event_ch.send_nowait(stt.SpeechEvent(type=kinds.END_OF_SPEECH))


class Mind(llm.LLM[Any]):
    """Answers at once."""

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[Any] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        return _Thinking(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Thinking(llm.LLMStream):
    async def _run(self) -> None:
        delta = llm.ChoiceDelta(role="assistant", content="Here is the answer.")
        self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=delta))


class Mouth(tts.TTS[Any]):
    """Speaks at once, a quarter of a second."""

    def __init__(self) -> None:
        capabilities = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=RATE_HZ, num_channels=1)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _Speaking(tts=self, input_text=text, conn_options=conn_options)


class _Speaking(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="1", sample_rate=RATE_HZ, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(bytes(RATE_HZ // 2))
        output_emitter.flush()


class Microphone(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="microphone")
        self.frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self.frames.get()


class Loudspeaker(io.AudioOutput):
    """Notes the first frame of an answer, and has played it once it is whole."""

    def __init__(self) -> None:
        capabilities = io.AudioOutputCapabilities(pause=False)
        super().__init__(label="loudspeaker", capabilities=capabilities, sample_rate=RATE_HZ)
        self.heard = asyncio.Event()
        self._captured_s = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._captured_s:
            self.on_playback_started(created_at=0.0)
            self.heard.set()
        self._captured_s += frame.duration

    def flush(self) -> None:
        super().flush()
        self._finish(interrupted=False)

    def clear_buffer(self) -> None:
        self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool) -> None:
        captured_s, self._captured_s = self._captured_s, 0.0
        if captured_s:
            self.on_playback_finished(playback_position=captured_s, interrupted=interrupted)


class Call:
    """One session, and both ends of its audio."""

    def __init__(self) -> None:
        self.session: AgentSession[None] = AgentSession(
            stt=Ears(),
            vad=None,
            llm=Mind(),
            tts=Mouth(),
            turn_detection="stt",
            min_endpointing_delay=0.0,
            user_away_timeout=None,
            session_close_transcript_timeout=0.0,
        )
        self.microphone, self.loudspeaker = Microphone(), Loudspeaker()
        self.session.input.audio = self.microphone
        self.session.output.audio = self.loudspeaker

    async def open(self) -> None:
        await self.session.start(Agent(instructions=""))

    def say(self, pcm: bytes) -> None:
        self.microphone.frames.put_nowait(_frame(pcm))


@asynccontextmanager
async def _calls(count: int) -> AsyncGenerator[list[Call]]:
    calls = [Call() for _ in range(count)]
    for call in calls:
        await call.open()
    try:
        yield calls
    finally:
        await asyncio.gather(*(call.session.aclose() for call in calls))


async def _sessions_a_core(count: int, seconds: float) -> float:
    async def feed(number: int, call: Call) -> None:
        begin = time.perf_counter() + FRAME_S * number / count
        for frame in range(int(seconds / FRAME_S)):
            await asyncio.sleep(begin + frame * FRAME_S - time.perf_counter())
            call.say(_SILENCE)

    async with _calls(count) as calls:
        before = time.process_time()
        await asyncio.gather(*(feed(number, call) for number, call in enumerate(calls)))
        await asyncio.sleep(0.5)
        return count * seconds / (time.process_time() - before)


async def _to_first_frame(count: int) -> list[float]:
    took: list[float] = []

    async def talk(number: int, call: Call) -> None:
        await asyncio.sleep(number / count)
        for _ in range(TURNS):
            for _ in range(50):
                call.say(_SILENCE)
                await asyncio.sleep(FRAME_S)
            call.loudspeaker.heard.clear()
            before = time.perf_counter()
            call.say(_FINISHED)
            await call.loudspeaker.heard.wait()
            took.append(time.perf_counter() - before)

    async with _calls(count) as calls:
        await asyncio.gather(*(talk(number, call) for number, call in enumerate(calls)))
    return took


async def _weight(count: int) -> tuple[float, float]:
    gc.collect()
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    async with _calls(count):
        await asyncio.sleep(0.5)  # until its tasks have begun
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tasks = len(asyncio.all_tasks()) - tasks
        tracemalloc.stop()
    return grown / count / 1024, tasks / count


async def measure(seconds: float) -> dict[str, float]:
    """Return the figures of livekit-agents, under the names of ours with ``livekit_`` before them."""
    logging.getLogger("livekit").setLevel(logging.ERROR)
    async with _calls(2):  # what is made once
        pass
    hundredths = quantiles(await _to_first_frame(10), n=100)
    idle_kib, idle_tasks = await _weight(20)
    return {
        "livekit_sessions_a_core": await _sessions_a_core(50, seconds),
        "livekit_speech_end_to_first_frame_ms_p50": hundredths[49] * 1e3,
        "livekit_speech_end_to_first_frame_ms_p99": hundredths[98] * 1e3,
        "livekit_idle_kib": idle_kib,
        "livekit_idle_tasks": idle_tasks,
    }
