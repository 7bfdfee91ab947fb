"""The WebSocket endpoints, for whichever framework brings the sockets."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any, Final, cast

import anyio

from ...core.errors import StoreUnavailable
from ...core.identity import shortened
from ...core.session import Session
from ...core.states import EndReason, SessionState
from ...ports.clock import Clock
from ...runtime.clock import SystemClock
from ...runtime.live import VoiceSession
from ...runtime.pipeline import Pipeline
from ...schemas.messages import ServerMessage, SessionBegin, TurnStateChanged
from ...schemas.parts import SessionConfiguration
from ..gate import Gate
from ..principal import Unauthenticated
from ..statuses import CloseCode, problem_of, status_of
from ..tickets import Kind
from .connection import Connection, Line
from .history import Past, past_of
from .leaving import leave
from .narration import Narrator
from .opening import Opened, Opening, chosen_subprotocol
from .outcome import error_message
from .outlet import Outlet, TooSlow
from .port import Handshake, Socket, SocketClosed
from .query import Wishes
from .silent import TRANSCRIPTION, listening_only
from .story import is_restored, session_end

__all__ = ("Door",)

logger = logging.getLogger("voicesession.web")

_LONGEST_REASON: Final = 120
"""A close frame holds 123 bytes of it."""

_OpensAs = Callable[[], Awaitable[Opened]]


class Door:
    """Where clients connect; one for all connections of an application.

    Args:
        gate: Knows who calls.
        pipeline: Makes the engines and the agent of one conversation.
    """

    def __init__(
        self,
        gate: Gate,
        pipeline: Callable[[Session], Pipeline | Awaitable[Pipeline]],
        *,
        clock: Clock | None = None,
    ) -> None:
        self._make_pipeline = pipeline
        self._passes = gate.passes
        self._make_config = gate.options.config
        self._options = gate.options.socket
        self._clock = clock or SystemClock()
        self._opening = Opening(gate)

    async def stream(self, socket: Socket, handshake: Handshake, session_id: str = "") -> None:
        """Serve a session that is there, until its client or the session is gone.

        Args:
            session_id: Of the path; without one the query names it.
        """
        await self._serve(
            socket, handshake, lambda: self._opening.existing(socket, handshake, session_id)
        )

    async def transcribe(self, socket: Socket, handshake: Handshake) -> None:
        """Create a session, and serve it."""
        await self._serve(socket, handshake, lambda: self._opening.new(handshake))

    # --- inside -----------------------------------------------------------------------------

    async def _serve(self, socket: Socket, handshake: Handshake, opens_as: _OpensAs) -> None:
        try:
            await socket.accept(chosen_subprotocol(handshake))
            code, reason = await self._answer(socket, handshake, opens_as)
            # Who does not read would keep even this waiting.
            with anyio.move_on_after(self._options.sent_within.total_seconds()):
                await socket.close(code, reason[:_LONGEST_REASON])
        except SocketClosed:
            pass  # nobody is there to be told anything

    async def _answer(
        self, socket: Socket, handshake: Handshake, opens_as: _OpensAs
    ) -> tuple[CloseCode, str]:
        """Serve the client; return how to close the connection, whatever happens."""
        session_id = None
        try:
            opened = await opens_as()
            session_id = opened.session.id
            if opened.session.state is SessionState.ENDED:
                return await self._tell_end(socket, opened)
            return await self._converse(socket, opened)
        except SocketClosed:
            raise
        except TooSlow:
            return CloseCode.TOO_SLOW, "too_slow"
        except Exception as error:  # noqa: BLE001  # whatever it is, the client is told no more of it
            status = status_of(error)
            if status.close is CloseCode.INTERNAL:
                whose = "" if session_id is None else f" of session …{shortened(session_id)}"
                logger.error("a connection%s failed: %s", whose, type(error).__name__)  # noqa: TRY400  # its text may hold words
            message = error_message(error, handshake.voice.now())
            with anyio.move_on_after(self._options.sent_within.total_seconds()):
                await socket.send(message.model_dump_json(exclude_none=True))
            return status.close, problem_of(error)["code"]

    async def _converse(self, socket: Socket, opened: Opened) -> tuple[CloseCode, str]:
        session_id, comes_back = opened.session.id, opened.attach is not None
        pipeline = await self._pipeline(opened.session)
        config = None if self._make_config is None else self._make_config(opened.session)
        async with opened.voice.converse(
            session_id, pipeline, config=config, take_over=comes_back
        ) as call:
            try:
                _check_first(opened, call)
                connection, first = await self._begun(socket, opened, call)
            except (StoreUnavailable, Unauthenticated) as error:
                refusal = error
                await leave(call.handle, self._clock)
            else:
                outcome = await connection.run(first)
                return outcome.code, outcome.reason
        raise refusal

    async def _begun(
        self, socket: Socket, opened: Opened, call: VoiceSession
    ) -> tuple[Connection, Iterator[ServerMessage]]:
        """Return the connection, and what its client is told first; it follows the session now."""
        meanwhile: list[object] = []
        stop_waiting = call.subscribe(meanwhile.append)
        past = await past_of(opened.voice, call.session)
        narrator = Narrator(
            Wishes.of(opened.query),
            told_until=past.until,
            is_conversation=call.session.mode != TRANSCRIPTION,
        )
        line = Line(
            socket=socket,
            voice=opened.voice,
            clock=self._clock,
            options=self._options,
            by=opened.by,
        )
        connection = Connection(line, call, narrator, may_attach=opened.attach is None)
        if narrator.is_conversation:
            connection.say(TurnStateChanged(at=opened.voice.now(), state=call.turn.value))
        stop_waiting()
        call.subscribe(connection.follow)
        for happening in meanwhile:
            connection.follow(happening)
        after = 0 if opened.attach is None else opened.attach.last_seq
        is_torn = call.handle.ownership.is_torn
        return connection, self._told(opened, call.session, past, after=after, is_torn=is_torn)

    async def _tell_end(self, socket: Socket, opened: Opened) -> tuple[CloseCode, str]:
        """Tell a client that comes too late how it ended, and if it comes back, what it missed."""
        session = opened.session
        past = await past_of(opened.voice, session)
        after = past.until if opened.attach is None else opened.attach.last_seq
        outlet = Outlet(
            socket, self._clock, self._options, on_lag=lambda: None, on_full=lambda: None
        )
        await outlet.deliver(self._told(opened, session, past, after=after))
        await outlet.deliver([session_end(session, at=opened.voice.now())])
        if session.end_reason is EndReason.EXPIRED:
            return CloseCode.EXPIRED, "session_expired"
        return CloseCode.ENDED, "ended"

    def _told(
        self, opened: Opened, session: Session, past: Past, *, after: int, is_torn: bool = False
    ) -> Iterator[ServerMessage]:
        """What a client hears first: where it is, and the durable messages behind *after*."""
        at = opened.voice.now()
        wishes = Wishes.of(opened.query)
        yield SessionBegin(
            at=at,
            session_id=session.id,
            config=_configuration(session, wishes),
            resumed_from=session.previous_session_id,
            state_restored=opened.attach is not None
            and not is_torn
            and is_restored(past.moments, is_conversation=session.mode != TRANSCRIPTION),
            resume_token=self._passes.issue(Kind.RESUME, session),
            last_seq=past.until,
        )
        yield from past.told(after=after, at=at, words=wishes.word_timestamps)

    async def _pipeline(self, session: Session) -> Pipeline:
        made = self._make_pipeline(session)
        pipeline = await made if isawaitable(made) else made
        return listening_only(pipeline) if session.mode == TRANSCRIPTION else pipeline


def _check_first(opened: Opened, call: VoiceSession) -> None:
    if opened.epoch not in {None, call.handle.ownership.epoch}:
        raise Unauthenticated("somebody else came in by this ticket at the same moment")


def _configuration(session: Session, wishes: Wishes) -> SessionConfiguration:
    return SessionConfiguration(
        mode=session.mode,
        language=session.language,
        model=session.model,
        encoding=session.encoding.value,
        sample_rate=session.sample_rate,
        channels=cast("Any", session.channels),
        store_audio=session.store_audio,
        store_transcript=session.store_transcript,
        enhance_on_end=session.enhance_on_end,
        retention_days=session.retention_days,
        interim_results=wishes.interim_results,
        word_timestamps=wishes.word_timestamps,
        playout=wishes.playout,
    )
