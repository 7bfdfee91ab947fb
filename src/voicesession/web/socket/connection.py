"""
One client and its session, for as long as both are there.

Three tasks: one reads the client and steps the session in place, one sends, one lets the
agent's voice out. Whatever ends the connection first is its outcome; the others are stopped,
and the session is left as the outcome wants it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Final, assert_never

import anyio
from anyio.lowlevel import checkpoint
from attrs import evolve, frozen

from ...core.errors import (
    BudgetExhausted,
    InvalidState,
    LeaseLost,
    SessionExpired,
    SessionNotActive,
    StoreUnavailable,
    VersionConflict,
    VoiceSessionError,
)
from ...core.instants import duration_us
from ...core.states import SessionState
from ...ports.clock import Clock
from ...runtime.happenings import Failed, ReplyCleared, SessionChanged
from ...runtime.live import VoiceSession
from ...runtime.manager import SessionManager
from ...schemas import messages
from ...schemas.messages import ClientMessage, ServerMessage
from ...schemas.refusals import BadRequest
from .intake import Intake
from .leaving import check_taken_over, ended, leave
from .narration import Narrator
from .options import SocketOptions
from .outcome import (
    DRAINING,
    ENDED,
    TAKEN_OVER,
    TOO_SLOW,
    VANISHED,
    Outcome,
    error_message,
    refused,
)
from .outlet import Outlet, TooSlow
from .playback import Playback
from .port import Socket, SocketClosed
from .silent import TRANSCRIPTION
from .story import session_end

__all__ = ("Connection", "Line")

_LAST_MESSAGES_TAKE_AT_MOST_S: Final = 5.0
_US_PER_S: Final = 1_000_000
_NOT_NOW: Final = (BudgetExhausted, InvalidState, StoreUnavailable, VersionConflict)
"""What a client may ask for in vain, and try again later: the call goes on."""


@frozen(kw_only=True)
class Line:
    """What a connection runs on.

    Attributes:
        voice: The sessions of the tenant.
        by: Who speaks, as far as the session is to know.
    """

    socket: Socket
    voice: SessionManager
    clock: Clock
    options: SocketOptions
    by: str | None = None


class Connection:
    """One client on one live session.

    Args:
        call: The session; not ended here, unless the client or the session wants it.
        may_attach: It is the session's first connection, and its client may not know that.
    """

    def __init__(
        self, line: Line, call: VoiceSession, narrator: Narrator, *, may_attach: bool
    ) -> None:
        self._line = line
        self._call = call
        self._narrator = narrator
        self._may_attach = may_attach
        self._clock = line.clock
        self._outlet = Outlet(
            line.socket,
            line.clock,
            line.options,
            on_lag=self._warn_of_lag,
            on_full=partial(self.finish, TOO_SLOW),
        )
        self._intake = Intake(line.options, line.clock.monotonic_us())
        self._playback = Playback(duration_us(line.options.unreported))
        self._outcome: Outcome | None = None
        self._is_over = anyio.Event()

    @property
    def _at(self) -> datetime:
        return self._line.voice.now()

    def say(self, message: ServerMessage) -> None:
        """Queue *message* for the client."""
        self._outlet.say(message)

    def follow(self, happening: object) -> None:
        """Tell the client of what happens, and see whether it is over."""
        if isinstance(happening, Failed) and isinstance(happening.error, LeaseLost):
            self._lose()
            return
        if isinstance(happening, ReplyCleared):
            self._outlet.drop_audio()
            self._playback.clear(happening.reply_id)
        for message in self._narrator.tell(happening, at=self._at):
            self.say(message)
        if isinstance(happening, SessionChanged) and happening.new_state is SessionState.ENDED:
            self.finish(ENDED)

    def finish(self, outcome: Outcome) -> None:
        """Let the connection end; the first outcome counts."""
        if self._outcome is None:
            self._outcome = outcome
            self._is_over.set()

    def _lose(self) -> None:
        """Let it end because the session is somebody else's now."""
        self.finish(DRAINING if self._line.voice.is_draining else TAKEN_OVER)

    async def run(self, first: Iterable[ServerMessage]) -> Outcome:
        """Serve the client until one of both has had enough; return how it was.

        The session is then over, lost, or waits for its client.

        Args:
            first: What the client is told before all else.
        """
        async with anyio.create_task_group() as tasks:
            for work in (partial(self._outlet.run, first), self._listen, self._speak):
                tasks.start_soon(self._until_over, work)
            await self._wait()
            self._outcome = await self._settle(self._outcome or VANISHED)
            await self._part(self._outcome)
            tasks.cancel_scope.cancel()
        outcome = self._outcome or VANISHED
        if outcome.leaves_session:
            await leave(self._call.handle, self._clock)
        return outcome

    async def _wait(self) -> None:
        """Return when it is over, which it also is when the client does not read."""
        while not self._is_over.is_set():
            left_us = self._outlet.patient_until_us - self._clock.monotonic_us()
            if left_us <= 0:
                self.finish(TOO_SLOW)
                return
            with anyio.move_on_after(left_us / _US_PER_S):
                await self._is_over.wait()

    async def _settle(self, outcome: Outcome) -> Outcome:
        """Bring about what *outcome* says, or find out that it is another one; return which."""
        handle = self._call.handle
        try:
            if outcome is ENDED and (session := await ended(handle, self._clock)) is not None:
                self.say(session_end(session, at=self._at))
            elif outcome in {ENDED, TAKEN_OVER}:
                await check_taken_over(handle, self._line.voice)
                return TAKEN_OVER
        except VoiceSessionError as error:
            return refused(error)
        return outcome

    async def _part(self, outcome: Outcome) -> None:
        """Say the last messages, after all that is still to be said."""
        if not outcome.listens:
            return
        if outcome is not ENDED:
            for message in outcome.farewell(self._at):
                self.say(message)
        with anyio.move_on_after(_LAST_MESSAGES_TAKE_AT_MOST_S):
            await self._outlet.emptied()

    # --- the three tasks ---------------------------------------------------------------------

    async def _until_over(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except SocketClosed:
            self.finish(VANISHED)
        except TooSlow:
            self.finish(TOO_SLOW)
        except (SessionNotActive, SessionExpired):
            pass  # it is over: its listeners have been told
        except LeaseLost:
            self._lose()
        except VoiceSessionError as error:
            self.finish(refused(error))

    async def _listen(self) -> None:
        socket, call, intake, clock = self._line.socket, self._call, self._intake, self._clock
        while True:
            frame = await socket.receive()
            until_us = intake.wait_until_us(clock.monotonic_us())
            if until_us is not None:
                await clock.sleep_until(until_us)
            wanted = intake.read(frame)
            if isinstance(wanted, bytes):
                await call.process_audio(wanted)
            elif isinstance(wanted, messages.End):
                self.finish(ENDED)
                return
            else:
                await self._try(wanted)
                # Frames that have arrived are received without a wait: let others have a turn.
                await checkpoint()
            self._may_attach = False

    async def _speak(self) -> None:
        call, narrator, outlet = self._call, self._narrator, self._outlet
        if call.session.mode == TRANSCRIPTION:
            return
        sample_rate = call.handle.audio_format.sample_rate
        async with aclosing(call.audio()) as pieces:
            async for piece in pieces:
                if not narrator.has_begun(piece.reply_id):
                    self.say(narrator.begin(piece.reply_id, sample_rate=sample_rate, at=self._at))
                outlet.add(piece.pcm)
                if narrator.wishes.playout:
                    for old in self._playback.sent(piece):
                        call.played(old)
                else:
                    call.played(piece)
                await outlet.send_all()

    # --- what the client wants -----------------------------------------------------------------

    async def _try(self, wanted: ClientMessage) -> None:
        try:
            await self._do(wanted)
        except _NOT_NOW as error:
            self.say(error_message(error, self._at))

    async def _do(self, wanted: ClientMessage) -> None:  # noqa: C901, PLR0912  # a case each
        call = self._call
        match wanted:
            case messages.Config():
                self._narrator.wishes = self._narrator.wishes.changed(wanted)
            case messages.Text():
                call.send_text(wanted.text)
            case messages.Flush():
                call.flush()
            case messages.Clear():
                call.clear()
            case messages.Interrupt():
                call.interrupt()
            case messages.Pause():
                await call.pause()
            case messages.Resume():
                await self._line.voice.resume(call.session.id)
            case messages.Consent():
                await call.set_consent(wanted.recording_consent, by=self._line.by)
            case messages.Playout():
                self._played(wanted)
            case messages.Ack():
                pass  # nothing waits for it: what is durable is in the journal
            case messages.End():
                self.finish(ENDED)
            case messages.Attach():
                if not self._may_attach:
                    raise BadRequest("type", "attach as the first message, and only then")
            case _:
                assert_never(wanted)

    def _played(self, report: messages.Playout) -> None:
        self._narrator.wishes = evolve(self._narrator.wishes, playout=True)
        for piece in self._playback.played(report.reply_id, report.played_ms):
            self._call.played(piece)

    def _warn_of_lag(self) -> None:
        self.say(messages.Warned(at=self._at, code="lagging"))
