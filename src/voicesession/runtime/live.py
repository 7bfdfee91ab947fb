"""
A live conversation, as its host holds it: audio in, audio out, and a few words.

Audio is stepped through in the caller's own task, by plain calls: `process_audio` feeds
the detector and the recogniser, tells the floor what they found, and carries out what the
floor wants. Beside it run one task that reads the recogniser, one that stores words, and
one for each reply that is being made.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.lowlevel import checkpoint

from ..core.errors import SessionAlreadyActive, SessionNotActive, WrongThread
from ..core.session import Session
from ..core.states import EndReason, SessionState, TurnState
from ..core.timeline import Track
from .alarms import Alarms
from .commands import over
from .event_stream import EventStream, EventStreams
from .framing import Framing
from .handle import SessionHandle
from .happenings import Listener, new_states
from .opening import Opened, joining, open_conversation
from .pipeline import Pipeline, SessionConfig
from .playout import AgentAudio
from .recorder_watch import RecorderWatch
from .services import Services
from .speech_handle import SpeechHandle
from .unwrapping import unwrapped

__all__ = ("VoiceSession", "not_started")

_LAST_WORDS_TAKE_AT_MOST_S: Final = 10.0


class VoiceSession:
    """One conversation, LIVE between ``start`` and ``stop``; see `SessionManager.converse`.

    All of it belongs to the event loop in which it was started. Audio and times follow
    the session's own axis: what is not accepted, because the session is paused, has not
    happened.

    Args:
        handle: The session's owner; not closed here.
    """

    def __init__(
        self,
        handle: SessionHandle,
        pipeline: Pipeline,
        services: Services,
        alarms: Alarms,
        config: SessionConfig,
    ) -> None:
        self._handle = handle
        self._pipeline = pipeline
        self._services = services
        self._alarms = alarms
        self._config = config
        audio = handle.audio_format
        self._framing = Framing(audio.frame_bytes, config.ingest_chunk_bytes)
        self._piece_us = audio.duration_us(self._framing.piece_bytes) + 1
        self._watch = RecorderWatch(handle.ownership.tape, handle.tell)
        self._thread: int | None = None
        self._opened: Opened | None = None
        self._streams = EventStreams(handle.ownership.listeners)

    # --- what it is ---------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The session as this worker knows it."""
        return self._handle.session

    @property
    def turn(self) -> TurnState:
        """Who has the floor."""
        return TurnState.INITIAL if self._opened is None else self._conductor.floor.state

    @property
    def media_us(self) -> int:
        """Where the session stands on its axis of time, in microseconds."""
        return self._handle.media_us

    @property
    def is_over(self) -> bool:
        """Whether the session has ended, or is another worker's now."""
        return self._handle.is_over

    @property
    def handle(self) -> SessionHandle:
        """The session in its owner's hand: to charge it, to mask it, to pause its recording."""
        return self._handle

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with whatever happens; see `voicesession.runtime.happenings`."""
        return self._handle.subscribe(listener)

    def on_state_changed(self, callback: Callable[[SessionState], object]) -> Callable[[], None]:
        """Call *callback* with each new state of the session; what comes back stops that."""
        return self._handle.subscribe(new_states(callback))

    def events(self, *, most: int = 1_000) -> EventStream:
        """Return an async iterator over what happens from now on; it ends with the session.

        It is the caller's: who lets go of it, as by a ``break``, need not close it.

        Args:
            most: How many may wait; then the oldest are dropped, and an `EventsMissed` says so.

        Raises:
            InvalidValue: *most* is no whole number, or none may wait.
            SessionNotActive: Before ``start``.
        """
        self._check_open()
        self._handle.ownership.check_thread()
        return self._streams.open(most)

    # --- from start to stop ---------------------------------------------------------------

    async def __aenter__(self) -> Self:
        with joining(self._handle, self._pipeline, self._services):
            await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if exc is None:
            await self.stop()
        if self._opened is None:
            return None
        if isinstance(exc, Exception) and not self.is_over:
            # The host failed, not the caller: what they said is kept before all else ends.
            with anyio.move_on_after(_LAST_WORDS_TAKE_AT_MOST_S, shield=True):
                await self._conductor.drain()
        self._handle.ownership.before_end(None)
        self._streams.close()
        with unwrapped(exc):
            return await self._opened.close(exc_type, exc, traceback)

    async def start(self) -> None:
        """Open the engines and bring the session to LIVE.

        Raises:
            SessionAlreadyActive: It was started before.
            ProviderError: An engine cannot be had, nor one behind it; the session stays as
                it was.
            RecordingFailed: Audio is to be kept and there is no place for it.
            BudgetExhausted: Nothing is left to spend, or nobody knows what an engine costs.
            QuotaExceeded: Too many sessions of one account run at once.
        """
        if self._thread is not None:
            raise SessionAlreadyActive(f"session {self.session.id} is started already")
        self._thread = threading.get_ident()
        try:
            self._opened = await open_conversation(
                self, self._handle, self._pipeline, self._services, self._alarms, self._config
            )
        except BaseException:
            self._thread = None
            raise
        self._conductor = self._opened.conductor

    async def stop(self, reason: EndReason = EndReason.COMPLETED) -> Session:
        """End the session: silence first, then every word stored, then the files.

        Stopping a session that is over changes nothing.
        """
        if not self._handle.is_over:
            await self._handle.end(reason)
        return self.session

    # --- the user's side ------------------------------------------------------------------

    async def process_audio(self, frame: bytes) -> None:
        """Take audio of the caller: any size, in the session's format.

        While the session is paused it is dropped. The call waits where finished words wait
        for the store and there is no more room for them, and where audio comes faster than
        the budget is reserved; without any the session pauses. It lets others have their
        turn once in ``ingest_chunk_bytes``.

        Raises:
            SessionExpired: It is over because its time was.
            SessionNotActive: Before ``start``, and once the session is over.
            WrongThread: The session lives in another thread.
        """
        self._check()
        handle, conductor = self._handle, self._conductor
        for pcm in self._framing.cut(frame):
            if not handle.has_room(self._piece_us):
                await handle.afford(pcm)
                if handle.is_over:
                    return  # it ended meanwhile: what was said into that is nobody's mistake
            at_us = handle.media_us
            if handle.audio(Track.USER, pcm):
                conductor.hear(pcm, at_us)
            if conductor.outbox.is_full:
                await conductor.outbox.room()
            if self._framing.is_others_turn(pcm):
                self._watch.look()
                await checkpoint()

    def flush(self) -> None:
        """Ask for the final words of what was said so far, without waiting for a silence."""
        self._check()
        self._conductor.ears.recogniser.flush()

    def clear(self) -> None:
        """Take back what is being said: its words, not final yet, never will be."""
        self._check()
        self._conductor.ears.take_back(self.media_us)

    def send_text(self, text: str) -> None:
        """Take a typed turn; it is answered as if it had been spoken."""
        self._check()
        self._conductor.typed(text)

    # --- the agent's side -----------------------------------------------------------------

    def say(self, text: str, *, interruptible: bool = True) -> SpeechHandle:
        """Speak *text*, behind what is being spoken now; the handle tells how it went."""
        self._check()
        return self._conductor.say(text, interruptible=interruptible)

    def interrupt(self) -> None:
        """Take the floor from the agent: nothing more of what it says is heard."""
        self._check()
        self._conductor.interrupt()

    def take_audio(self) -> list[AgentAudio]:
        """Return the agent's audio that is due by now; report it with ``played``."""
        return [] if self._opened is None else list(iter(self._conductor.mouth.take, None))

    def audio(self) -> AsyncGenerator[AgentAudio]:
        """Yield the agent's audio when it is due, until the session is over."""
        self._check_open()
        return self._conductor.mouth.audio()

    def played(self, piece: AgentAudio) -> None:
        """Say that *piece* has been played to the user: now it is recorded, and was heard."""
        if not self.is_over:
            self._handle.audio(Track.AGENT, piece.pcm)
            self._conductor.played(piece)

    async def pause(self) -> Session:
        """Stand still at the user's wish: no listening, no speech, no time."""
        return await self._handle.pause()

    async def resume(self) -> Session:
        """Go on at the user's wish; other reasons to stand still remain."""
        return await self._handle.resume()

    async def set_consent(
        self, given: bool | None, *, by: str | None = None, wording: str | None = None
    ) -> Session:
        """Keep the answer to "may we record you?"; a refusal purges what was recorded."""
        return await self._handle.set_consent(given, by=by, wording=wording)

    async def settled(self) -> None:
        """Return once every engine has answered and every word is stored.

        Who feeds a session faster than real time waits for this between frames.
        """
        await checkpoint()
        if self._opened is not None:
            await self._conductor.idle()

    # --- inside -------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._opened is None:
            raise not_started(self.session)

    def _check(self) -> None:
        if self._opened is None:
            raise not_started(self.session)
        if self._thread != threading.get_ident():
            raise WrongThread(f"session {self.session.id} belongs to another thread")
        if self._handle.is_over:
            raise over(self.session)


def not_started(session: Session) -> SessionNotActive:
    """Return what is raised while *session* has not begun here."""
    return SessionNotActive(f"session {session.id} is not started")
