"""
A call of LiveKit's own AgentSession that needs nobody: the framework is real, its engines are not.

It takes seconds to import: only by the tests that use it, when they run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from attrs import frozen
from livekit import rtc
from livekit.agents import Agent, AgentSession, APIConnectOptions, llm, stt, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io
from tests.integrations.sound import RATE_HZ, VOICE

from voicesession import SessionHandle, SessionManager
from voicesession.integrations.livekit_agents import FollowedCall, followed

FRAME_MS = 20
FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1_000


def frame(sample: bytes = b"\x01\x00") -> rtc.AudioFrame:
    return rtc.AudioFrame(
        data=sample * FRAME_SAMPLES,
        sample_rate=RATE_HZ,
        num_channels=1,
        samples_per_channel=FRAME_SAMPLES,
    )


class Microphone(io.AudioInput):
    """Gives frames when a test says so."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    def speak(self, frames: int) -> None:
        for _ in range(frames):
            self._frames.put_nowait(frame())

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class Loudspeaker(io.AudioOutput):
    """Plays at once when it is flushed; or, while it ``holds``, ``heard_s`` until it is cleared."""

    def __init__(self) -> None:
        super().__init__(
            label="loudspeaker",
            capabilities=io.AudioOutputCapabilities(pause=False),
            sample_rate=RATE_HZ,
        )
        self.holds = False
        self.heard_s = 0.0
        self.began = asyncio.Event()
        self._captured_s = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._captured_s:
            self.on_playback_started(created_at=0.0)
            self.began.set()
        self._captured_s += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._captured_s and not self.holds:
            self._finish(self._captured_s, interrupted=False)

    def clear_buffer(self) -> None:
        if self._captured_s:
            self._finish(self.heard_s, interrupted=True)

    def _finish(self, position_s: float, *, interrupted: bool) -> None:
        self._captured_s = 0.0
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)


class ScriptedEars(stt.STT[Any]):
    """Recognises *text* in the fiftieth frame, if any; says itself when a turn is over."""

    def __init__(self, text: str | None) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.text = text

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("only streams are asked for")

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> stt.RecognizeStream:
        return _Hearing(stt=self, conn_options=conn_options)


class _Hearing(stt.RecognizeStream):
    async def _run(self) -> None:
        assert isinstance(self._stt, ScriptedEars)
        count = 0
        async for piece in self._input_ch:
            count += isinstance(piece, rtc.AudioFrame)
            if count == 50 and self._stt.text is not None:
                self._tell(self._stt.text)

    def _tell(self, text: str) -> None:
        said = [stt.SpeechData(language="en", text=text, confidence=0.9)]  # type: ignore[arg-type]
        kinds = stt.SpeechEventType
        self._event_ch.send_nowait(stt.SpeechEvent(type=kinds.START_OF_SPEECH))
        for kind in (kinds.INTERIM_TRANSCRIPT, kinds.FINAL_TRANSCRIPT):
            self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=said))
        self._event_ch.send_nowait(stt.SpeechEvent(type=kinds.END_OF_SPEECH))


class ScriptedMind(llm.LLM[Any]):
    """Answers with *reply*, whatever it is asked, at a price of 7 and 3 tokens."""

    def __init__(self, reply: str) -> None:
        super().__init__()
        self.reply = reply

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
        assert isinstance(self._llm, ScriptedMind)
        delta = llm.ChoiceDelta(role="assistant", content=self._llm.reply)
        self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=delta))
        usage = llm.CompletionUsage(prompt_tokens=7, completion_tokens=3, total_tokens=10)
        self._event_ch.send_nowait(llm.ChatChunk(id="1", usage=usage))


class ScriptedMouth(tts.TTS[Any]):
    """Speaks ten milliseconds a character."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE_HZ, num_channels=1
        )

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _Speaking(tts=self, input_text=text, conn_options=conn_options)


class _Speaking(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="1", sample_rate=RATE_HZ, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(VOICE * (RATE_HZ // 100) * len(self.input_text))
        output_emitter.flush()


def scripted(*, hears: str | None, reply: str) -> AgentSession[Any]:
    """Return LiveKit's session, which hears that after a second, and answers it."""
    return AgentSession(
        stt=ScriptedEars(hears),
        llm=ScriptedMind(reply),
        tts=ScriptedMouth(),
        turn_detection="stt",
    )


@frozen
class Call:
    handle: SessionHandle
    agents: AgentSession[Any]
    followed: FollowedCall
    microphone: Microphone
    loudspeaker: Loudspeaker


@asynccontextmanager
async def call(
    voice: SessionManager, *, hears: str | None = None, reply: str = "Good morning, Ada."
) -> AsyncGenerator[Call]:
    """Hold a call in LiveKit's session, under one of ours."""
    session = await voice.create(sample_rate=RATE_HZ, store_audio=True, store_transcript=True)
    async with voice.attach(session.id) as handle:
        agents = scripted(hears=hears, reply=reply)
        microphone, loudspeaker = Microphone(), Loudspeaker()
        agents.input.audio, agents.output.audio = microphone, loudspeaker
        async with followed(agents, handle) as follower:
            await agents.start(Agent(instructions="Be brief."))
            yield Call(handle, agents, follower, microphone, loudspeaker)
            await agents.aclose()
