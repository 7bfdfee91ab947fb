"""
The scenes of ``runtime.py``, played by livekit-agents: its own `AgentSession`, with a stand-in for each
engine that takes no time, and a microphone and a loudspeaker in place of a room.

Voice is not detected here either: the recogniser says that the user has finished, when a loud frame
comes. So the session does what it would with a recogniser that finds turns itself.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import runtime_peers
from figures import Figures
from livekit import rtc
from livekit.agents import Agent, AgentSession, APIConnectOptions, llm, stt, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io
from runtime_peers import FRAME_S, RATE_HZ

FRAME_SAMPLES: Final = int(RATE_HZ * FRAME_S)
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
        self.microphone, loudspeaker = Microphone(), Loudspeaker()
        self.heard = loudspeaker.heard
        self.session.input.audio, self.session.output.audio = self.microphone, loudspeaker

    async def open(self) -> None:
        await self.session.start(Agent(instructions=""))

    async def stay_silent(self) -> None:
        self.microphone.frames.put_nowait(_frame(_SILENCE))

    async def finish(self) -> None:
        self.microphone.frames.put_nowait(_frame(_FINISHED))

    async def aclose(self) -> None:
        await self.session.aclose()


async def measure(seconds: float) -> Figures:
    """Return the figures of livekit-agents, under the names of ours with ``livekit_`` before them."""
    logging.getLogger("livekit").setLevel(logging.ERROR)
    return await runtime_peers.measure("livekit", Call, sessions=50, seconds=seconds)
