"""A realtime call of the SDK, kept: both voices, what was heard of each reply, its tokens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from ...core.audio import AudioFormat
from ...core.errors import InvalidConfig
from ...core.heard import MadeSpeech, SpeakingRate
from ...core.meters import Meter
from ...core.states import SessionState
from ...core.timeline import Track
from ...core.utterance import Speaker
from ...runtime.handle import SessionHandle
from ...runtime.happenings import SessionChanged
from ..pcm_tracks import MonoTrack, kept_format
from ..scribe import Scribe

try:
    from agents.realtime import RealtimeSession, RealtimeSessionEvent, model_events
    from agents.realtime.events import RealtimeRawModelEvent
except ModuleNotFoundError as error:
    raise InvalidConfig(
        "integration", "openai_agents", "after: pip install openai-agents"
    ) from error

if TYPE_CHECKING:
    from agents.realtime.model_events import RealtimeModelEvent

__all__ = ("KeptCall", "kept")

_WIRE: Final = AudioFormat(sample_rate=24_000)
"""What the API hears and speaks."""


@asynccontextmanager
async def kept(realtime: RealtimeSession, handle: SessionHandle) -> AsyncGenerator[KeptCall]:
    """Keep *realtime* in *handle*, for the length of the block; the session is LIVE inside.

    Agent audio is recorded at the pace of the caller's, as it is played, and not as fast as it
    comes. When the session pauses (a budget, the user's wish) the model is interrupted and hears
    nothing until it goes on.

    Raises:
        InvalidValue: The session's audio is not s16, mono; with 24 000 Hz nothing is resampled.
        BudgetExhausted: Nothing is left to spend; nothing has begun.
    """
    kept_format(handle.audio_format)
    scribe = Scribe(handle)
    call = KeptCall(realtime, handle, scribe)
    async with scribe.writing():
        await handle.live()
        unsubscribe = handle.subscribe(call.session_changed)
        try:
            yield call
            call.hang_up()
            await scribe.written()
        finally:
            unsubscribe()


class KeptCall:
    """The realtime session, as its host uses it: audio in, events out."""

    def __init__(self, realtime: RealtimeSession, handle: SessionHandle, scribe: Scribe) -> None:
        self._realtime = realtime
        self._handle = handle
        self._scribe = scribe
        rate_hz = handle.audio_format.sample_rate
        self._caller = MonoTrack(rate_hz)
        self._agent = MonoTrack(rate_hz)
        self._rate = SpeakingRate()
        self._began_us = handle.media_us
        self._reply = _Reply(handle.media_us)

    async def send_audio(self, pcm: bytes, *, commit: bool = False) -> bool:
        """Send the caller's audio on (s16 at 24 000 Hz); return whether the session took it.

        While the session is paused, or its budget is used up, nobody hears it.
        """
        mono = self._caller.take(pcm, _WIRE.sample_rate, 1)
        if self._handle.is_over:
            return False
        await self._handle.afford(mono)
        if not self._handle.audio(Track.USER, mono):
            return False
        self._play(len(mono))
        await self._realtime.send_audio(pcm, commit=commit)
        return True

    async def __aiter__(self) -> AsyncIterator[RealtimeSessionEvent]:
        """Yield the session's own events, after what they mean has been noted."""
        async for event in self._realtime:
            if isinstance(event, RealtimeRawModelEvent) and not self._handle.is_over:
                self._heard(event.data)
                self._spoken(event.data)
            yield event

    def hang_up(self) -> None:
        """Keep what was heard of a reply that is still being spoken."""
        self._reply_over(interrupted=bool(self._reply.unplayed))

    def session_changed(self, happening: object) -> None:
        """Listen to the session."""
        if isinstance(happening, SessionChanged) and happening.new_state is SessionState.PAUSED:
            self._scribe.do(self._realtime.interrupt)

    # --- the caller ------------------------------------------------------------------------

    def _heard(self, event: RealtimeModelEvent) -> None:
        if isinstance(event, model_events.RealtimeModelRawServerEvent):
            if event.data.get("type") == "input_audio_buffer.speech_started":
                self._began_us = self._handle.media_us
        elif isinstance(event, model_events.RealtimeModelInputAudioTranscriptionCompletedEvent):
            if text := event.transcript.strip():
                self._scribe.keep(Speaker.USER, text, self._began_us)
            self._began_us = self._handle.media_us

    # --- the agent -------------------------------------------------------------------------

    def _spoken(self, event: RealtimeModelEvent) -> None:
        reply = self._reply
        if isinstance(event, model_events.RealtimeModelTranscriptDeltaEvent):
            reply.text += event.delta
        elif isinstance(event, model_events.RealtimeModelAudioEvent):
            reply.take(self._agent.take(event.data, _WIRE.sample_rate, 1), len(event.data))
        elif isinstance(event, model_events.RealtimeModelAudioInterruptedEvent):
            self._reply_over(interrupted=True)
        elif isinstance(event, model_events.RealtimeModelTurnEndedEvent):
            reply.made.complete(self._rate)
            self._play(0)
        elif isinstance(event, model_events.RealtimeModelUsageEvent):
            usage = event.usage
            self._scribe.charge(
                {
                    Meter.LLM_INPUT_TOKENS: usage.input_tokens,
                    Meter.LLM_OUTPUT_TOKENS: usage.output_tokens,
                }
            )

    def _play(self, most_bytes: int) -> None:
        """Let so much of the reply be heard, if it has that much."""
        reply = self._reply
        if most_bytes and (pcm := reply.played(most_bytes)):
            self._handle.audio(Track.AGENT, pcm)
        if reply.made.is_complete and not reply.unplayed:
            self._reply_over(interrupted=False)

    def _reply_over(self, *, interrupted: bool) -> None:
        reply, self._reply = self._reply, _Reply(self._handle.media_us)
        if not reply.text.strip():
            return
        played_us = self._handle.audio_format.duration_us(reply.played_bytes)
        heard = (
            reply.made.heard_of(reply.text, played_us, self._rate) if interrupted else reply.text
        )
        self._scribe.keep(
            Speaker.AGENT,
            heard.strip(),
            reply.began_us,
            interrupted=interrupted,
            generated=reply.text.strip(),
        )


class _Reply:
    """One answer of the model: its text, its audio, and how much of that was played."""

    def __init__(self, began_us: int) -> None:
        self.began_us = began_us
        self.text = ""
        self.made = MadeSpeech()
        self.unplayed = bytearray()
        self.played_bytes = 0
        self._made_bytes = 0

    def take(self, pcm: bytes, wire_bytes: int) -> None:
        """Take the next piece of audio."""
        self.unplayed += pcm
        self._made_bytes += wire_bytes
        self.made.add(len(self.text), _WIRE.duration_us(self._made_bytes))

    def played(self, most_bytes: int) -> bytes:
        """Return what is played next: at most *most_bytes*."""
        piece = bytes(self.unplayed[:most_bytes])
        del self.unplayed[:most_bytes]
        self.played_bytes += len(piece)
        return piece
