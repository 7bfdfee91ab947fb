"""
A session under LiveKit Agents: its words, both voices, its usage and its budget.

.. code-block:: python

    async with voice.attach(session.id) as handle:
        async with followed(agent_session, handle) as call:
            await agent_session.start(agent, room=ctx.room)
            await call.closed()

LiveKit keeps leading the conversation. Of an interrupted reply it tells what was heard and not
what had been generated, so ``generated_text`` is empty there.
"""

# LiveKit leaves some of its own signatures without types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import anyio

from ..core.errors import InvalidConfig
from ..core.floor.effects import FloorChanged
from ..core.meters import Meter
from ..core.states import EndReason, SessionState, TurnState
from ..core.timeline import Track
from ..core.utterance import Speaker
from ..runtime.handle import SessionHandle
from ..runtime.happenings import SessionChanged
from .pcm_tracks import MonoTrack, kept_format
from .scribe import Scribe

try:
    from livekit import rtc
    from livekit.agents import AgentSession, llm
    from livekit.agents.metrics import LLMModelUsage, TTSModelUsage
    from livekit.agents.voice import events, io
except ModuleNotFoundError as error:
    raise InvalidConfig(
        "integration", "livekit_agents", "after: pip install livekit-agents"
    ) from error

__all__ = ("FollowedCall", "followed")

_ENDS: Final = MappingProxyType(
    {
        events.CloseReason.ERROR: EndReason.ERROR,
        events.CloseReason.USER_INITIATED: EndReason.COMPLETED,
        events.CloseReason.TASK_COMPLETED: EndReason.COMPLETED,
    }
)
"""How a session ends; a participant who has left may come back, and so may a job."""

_TURNS: Final = MappingProxyType(
    {
        "initializing": TurnState.INITIAL,
        "idle": TurnState.LISTENING,
        "listening": TurnState.LISTENING,
        "thinking": TurnState.PROCESSING,
        "speaking": TurnState.SPEAKING,
    }
)
"""Who has the floor, by the state of LiveKit's agent."""


@asynccontextmanager
async def followed(
    agent_session: AgentSession[Any], handle: SessionHandle
) -> AsyncGenerator[FollowedCall]:
    """Keep what happens in *agent_session* in *handle*, for the length of the block.

    It is entered before ``agent_session.start``, brings the session to LIVE, and ends it as
    LiveKit's session closes. When the session pauses (the user's wish, a budget) the agent
    falls silent and hears nothing until it goes on; when it ends, LiveKit's session is shut
    down.

    Raises:
        InvalidValue: The session's audio is not s16, mono.
        BudgetExhausted: Nothing is left to spend; the agent has not begun.
    """
    kept_format(handle.audio_format)
    scribe = Scribe(handle)
    call = FollowedCall(agent_session, handle, scribe)
    async with scribe.writing():
        await handle.live()
        with call.listening():
            yield call
            await scribe.written()


class FollowedCall:
    """Turns what LiveKit's session reports into what ours keeps."""

    def __init__(
        self, agent_session: AgentSession[Any], handle: SessionHandle, scribe: Scribe
    ) -> None:
        self._agents = agent_session
        self._handle = handle
        self._scribe = scribe
        self._heard = MonoTrack(handle.audio_format.sample_rate)
        self._began_us = {Speaker.USER: handle.media_us, Speaker.AGENT: handle.media_us}
        self._finals: list[str] = []
        self._charged: Counter[Meter] = Counter()
        self._output: _SpokenOutput | None = None
        self._turn = TurnState.INITIAL
        self._has_closed = anyio.Event()

    async def closed(self) -> None:
        """Return once LiveKit's session has closed, for whatever reason."""
        await self._has_closed.wait()

    def listening(self) -> ExitStack:
        """Return a block in which both sessions are listened to."""
        stack = ExitStack()
        callbacks: dict[events.EventTypes, Callable[[Any], None]] = {
            "agent_state_changed": self._agent_state_changed,
            "user_state_changed": self._user_state_changed,
            "user_input_transcribed": self._transcribed,
            "conversation_item_added": self._item_added,
            "session_usage_updated": self._usage_updated,
            "close": self._closed,
        }
        for name, callback in callbacks.items():
            self._agents.on(name, callback)
            stack.callback(self._agents.off, name, callback)
        stack.callback(self._handle.subscribe(self._session_changed))
        return stack

    # --- audio -----------------------------------------------------------------------------

    def _tap_audio(self) -> None:
        """Stand between LiveKit and the two ends of the audio, as soon as there are any."""
        if self._output is not None or self._agents.output.audio is None:
            return
        if (source := self._agents.input.audio) is not None:
            self._agents.input.audio = _HeardInput(source, self)
        rate_hz = self._handle.audio_format.sample_rate
        self._output = _SpokenOutput(self._agents.output.audio, rate_hz)
        self._agents.output.audio = self._output

    async def heard(self, frame: rtc.AudioFrame) -> None:
        """Keep a frame of the caller, and what the agent said meanwhile."""
        pcm = self._heard.take(bytes(frame.data), frame.sample_rate, frame.num_channels)
        if self._handle.is_over:
            return
        await self._handle.afford(pcm)
        if self._handle.audio(Track.USER, pcm) and self._output is not None:
            self._handle.audio(Track.AGENT, self._output.played(len(pcm)))

    # --- what LiveKit's session reports ----------------------------------------------------

    def _agent_state_changed(self, event: events.AgentStateChangedEvent) -> None:
        self._tap_audio()
        self._turn_changed(_TURNS[event.new_state])
        if event.new_state == "speaking":
            self._began_us[Speaker.AGENT] = self._handle.media_us

    def _user_state_changed(self, event: events.UserStateChangedEvent) -> None:
        if event.new_state == "away":
            self._turn_changed(TurnState.AWAY)
        elif event.old_state == "away":
            self._turn_changed(_TURNS[self._agents.agent_state])
        if event.new_state == "speaking":
            self._began_us[Speaker.USER] = self._handle.media_us

    def _turn_changed(self, turn: TurnState) -> None:
        before, self._turn = self._turn, turn
        if turn is not before:
            self._handle.tell(FloorChanged(state=turn, at_us=self._handle.media_us))

    def _transcribed(self, event: events.UserInputTranscribedEvent) -> None:
        if self._handle.is_over:
            return
        if event.is_final and event.transcript.strip():
            self._finals.append(event.transcript.strip())
            self._keep(Speaker.USER, event.transcript.strip())
            self._began_us[Speaker.USER] = self._handle.media_us
        elif not event.is_final:
            self._handle.partial(event.transcript)

    def _item_added(self, event: events.ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, llm.ChatMessage) or not (text := item.text_content):
            return
        if item.role == "assistant":
            self._keep(Speaker.AGENT, text, interrupted=item.interrupted)
        elif item.role == "user":
            # What was spoken is kept already, segment by segment; the rest was typed.
            if text.split() != " ".join(self._finals).split():
                self._keep(Speaker.USER, text)
            self._finals.clear()

    def _usage_updated(self, event: events.SessionUsageUpdatedEvent) -> None:
        total: Counter[Meter] = Counter()
        for usage in event.usage.model_usage:
            if isinstance(usage, LLMModelUsage):
                total[Meter.LLM_INPUT_TOKENS] += usage.input_tokens
                total[Meter.LLM_OUTPUT_TOKENS] += usage.output_tokens
            elif isinstance(usage, TTSModelUsage):
                total[Meter.TTS_CHARACTERS] += usage.characters_count
        self._scribe.charge(total - self._charged)
        self._charged = total

    def _closed(self, event: events.CloseEvent) -> None:
        self._has_closed.set()
        if event.reason in _ENDS:
            error = type(event.error).__name__ if event.error else None
            self._scribe.do(partial(self._handle.end, _ENDS[event.reason], error=error))
        elif event.reason is events.CloseReason.PARTICIPANT_DISCONNECTED:
            self._scribe.do(self._handle.disconnected)

    def _keep(self, speaker: Speaker, text: str, *, interrupted: bool = False) -> None:
        self._scribe.keep(speaker, text, self._began_us[speaker], interrupted=interrupted)

    # --- what our session reports ----------------------------------------------------------

    def _session_changed(self, happening: object) -> None:
        if not isinstance(happening, SessionChanged):
            return
        if happening.new_state is SessionState.PAUSED:
            self._agents.input.set_audio_enabled(False)
            with suppress(RuntimeError):  # it has not started, or is closing: it is silent
                self._agents.interrupt(force=True)
        elif happening.new_state is SessionState.LIVE:
            self._agents.input.set_audio_enabled(True)
        elif happening.new_state is SessionState.ENDED:
            self._agents.shutdown(drain=False)


class _HeardInput(io.AudioInput):
    """The caller's audio, kept on its way to LiveKit."""

    def __init__(self, source: io.AudioInput, follower: FollowedCall) -> None:
        super().__init__(label="voicesession", source=source)
        self._follower = follower

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await super().__anext__()
        await self._follower.heard(frame)
        return frame


class _SpokenOutput(io.AudioOutput):
    """The agent's audio, kept as it is played and not as it was made.

    LiveKit hands audio over faster than it plays. What a segment holds is given to the
    recording at the pace of the caller's audio, from the moment its playback starts; what the
    sink says at the end (how much was played) settles the rest.
    """

    def __init__(self, sink: io.AudioOutput, rate_hz: int) -> None:
        super().__init__(
            label="voicesession",
            capabilities=io.AudioOutputCapabilities(pause=True),
            next_in_chain=sink,
            sample_rate=sink.sample_rate,
        )
        self._sink = sink
        # LiveKit puts a proxy of its own before the sink.
        self._next = self.next_in_chain or sink
        self._rate_hz = rate_hz
        self._track = MonoTrack(rate_hz)
        self._segments: list[bytearray] = []
        self._is_open = False
        self._is_playing = False
        self._given = 0
        self._owed = bytearray()

    def played(self, most_bytes: int) -> bytes:
        """Return what was played since the last call: at most *most_bytes*, and what was owed."""
        owed, self._owed = bytes(self._owed), bytearray()
        if not self._is_playing or not self._segments:
            return owed
        piece = bytes(self._segments[0][self._given : self._given + most_bytes])
        self._given += len(piece)
        return owed + piece

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._is_open:
            self._segments.append(bytearray())
            self._is_open = True
        self._segments[-1] += self._track.take(
            bytes(frame.data), frame.sample_rate, frame.num_channels
        )
        await self._next.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        self._is_open = False
        self._next.flush()

    def clear_buffer(self) -> None:
        self._is_open = False
        self._next.clear_buffer()

    def pause(self) -> None:
        self._is_playing = False
        super().pause()

    def resume(self) -> None:
        self._is_playing = True
        super().resume()

    def on_playback_started(self, *, created_at: float) -> None:
        self._is_playing = True
        super().on_playback_started(created_at=created_at)

    def on_playback_finished(
        self,
        *,
        playback_position: float,
        interrupted: bool,
        synchronized_transcript: str | None = None,
    ) -> None:
        if self._segments:
            segment = self._segments.pop(0)
            until = 2 * round(playback_position * self._rate_hz)
            self._owed += segment[self._given : until]
        self._given, self._is_playing = 0, False
        super().on_playback_finished(
            playback_position=playback_position,
            interrupted=interrupted,
            synchronized_transcript=synchronized_transcript,
        )
