"""Who is on the line, and which session they want: settled before anything else is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import anyio
from attrs import frozen

from ...core.errors import SessionNotFound
from ...core.session import Session
from ...core.states import SessionState
from ...runtime.manager import SessionManager
from ...schemas.messages import Attach
from ...schemas.refusals import BadRequest
from ...schemas.requests import Nothing
from ..access import user_meant, visible
from ..call import Call, Request
from ..gate import Gate
from ..parsing import query_as
from ..principal import Credentials, Permission, Principal, Unauthenticated
from ..tickets import Kind
from .intake import Intake
from .port import Handshake, Socket
from .query import StreamQuery
from .silent import TRANSCRIPTION

__all__ = ("SUBPROTOCOL", "Opened", "Opening", "chosen_subprotocol")

SUBPROTOCOL: Final = "voicesession"
"""What a client offers, beside a token as ``bearer.<token>`` where it cannot send a header."""

_BEARER: Final = "bearer."


@frozen(kw_only=True)
class Opened:
    """A connection that may go on.

    Attributes:
        voice: The sessions of the tenant.
        attach: How the client came back; None on a first connection.
        by: The user of the caller, if it is one.
        epoch: The one of the session that it begins, if a ticket has let the caller in.
    """

    voice: SessionManager
    session: Session
    query: StreamQuery
    attach: Attach | None = None
    by: str | None = None
    epoch: int | None = None


class Opening:
    """The way in."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._options = gate.options.socket

    async def existing(self, socket: Socket, handshake: Handshake, session_id: str) -> Opened:
        """Return the connection to a session that is there.

        A session that was LIVE before wants ``attach``, whose token is enough to come in. Of
        one that is over its end is told without it, too.

        Raises:
            Unauthenticated: Nobody, or nobody of this session, is at the door.
            SessionNotFound: There is none, or none that they may know of.
            BadRequest: A parameter is not allowed, or the first message is not, or there was
                none in time.
        """
        query = query_as(StreamQuery, handshake.query)
        session_id = session_id or query.session_id or ""
        if not session_id:
            raise BadRequest("session_id", "the id of a session")
        try:
            opened = await self._known(handshake, query, session_id)
        except Unauthenticated:
            attach = await self._attach(socket)
            if attach is None:
                raise
            return await self._come_back(handshake, attach, session_id, query)
        session = opened.session
        if session.state is SessionState.CONNECTING and session.worker_id is None:
            return opened
        attach = await self._attach(socket)
        if attach is not None:
            return await self._come_back(handshake, attach, session_id, query, by=opened.by)
        if session.state is not SessionState.ENDED:
            raise BadRequest("type", "attach: the session has begun before")
        return opened

    async def new(self, handshake: Handshake) -> Opened:
        """Return the connection to a session that is created for it.

        Raises:
            Unauthenticated: Nobody is at the door.
            BadRequest: A parameter is not allowed.
            QuotaExceeded: There are too many sessions.
            SessionNotFound: The one to continue is not there.
        """
        query = query_as(StreamQuery, handshake.query)
        principal = await self._principal(handshake)
        call = self._call(handshake, principal, query)
        if self._gate.options.verify_key_hash is not None:
            raise Unauthenticated("sessions of this server are created by HTTP, with a key hash")
        wanted: dict[str, Any] = {"mode": TRANSCRIPTION} | query.said()
        if query.vocabulary is not None:
            wanted["metadata"] = {"vocabulary": [*_words(query.vocabulary)]}
        of_the_caller: dict[str, Any] = {
            "resume_session_id": query.resume_session_id,
            "user_id": user_meant(call, query.user_id),
            "created_by": principal.user_id,
            "client_ip": handshake.origin.client_host,
        }
        session = await call.voice.create(**wanted, **of_the_caller)
        return Opened(voice=call.voice, session=session, query=query, by=principal.user_id)

    # --- who ---------------------------------------------------------------------------------

    async def _known(self, handshake: Handshake, query: StreamQuery, session_id: str) -> Opened:
        """Return the connection of somebody who may write to the session without a token of it."""
        if query.ticket is None:
            good_in, principal = None, await self._principal(handshake)
        else:
            with self._gate.attempt(handshake.origin.client_host):
                held = self._gate.passes.check(Kind.TICKET, query.ticket, session_id)
            good_in, principal = held.epoch, held.principal
        call = self._call(handshake, principal, query)
        session = await visible(call, Permission.WRITE, session_id=session_id)
        if good_in not in {None, session.epoch}:
            raise Unauthenticated("somebody has come in by this ticket")
        query.agree(session)
        return Opened(
            voice=call.voice,
            session=session,
            query=query,
            by=principal.user_id,
            epoch=None if good_in is None else good_in + 1,
        )

    async def _principal(self, handshake: Handshake) -> Principal:
        if handshake.principal is not None:
            return handshake.principal
        headers = dict(handshake.headers)
        for offered in handshake.subprotocols:
            if offered.startswith(_BEARER):
                headers["authorization"] = f"Bearer {offered.removeprefix(_BEARER)}"
        credentials = Credentials(headers=headers, client_host=handshake.peer)
        return await self._gate.admit(credentials, caller=handshake.origin.client_host)

    def _call(
        self, handshake: Handshake, principal: Principal, query: StreamQuery
    ) -> Call[StreamQuery, Nothing]:
        reach = principal.require(Permission.WRITE)
        request = Request(
            method="GET",
            query=handshake.query,
            headers=handshake.headers,
            origin=handshake.origin,
            peer=handshake.peer,
        )
        return Call(
            voice=self._gate.sessions_of(handshake.voice, principal, query),
            principal=principal,
            reach=reach,
            request=request,
            options=self._gate.options,
            streams=self._gate.streams,
            passes=self._gate.passes,
            query=query,
            body=Nothing(),
        )

    # --- coming back ---------------------------------------------------------------------------

    async def _attach(self, socket: Socket) -> Attach | None:
        """The first message, if it brings a client back and comes in time."""
        with anyio.move_on_after(self._options.opening.total_seconds()):
            first = Intake(self._options, 0).read(await socket.receive())
            return first if isinstance(first, Attach) else None
        return None

    async def _come_back(
        self,
        handshake: Handshake,
        attach: Attach,
        session_id: str,
        query: StreamQuery,
        *,
        by: str | None = None,
    ) -> Opened:
        if attach.session_id != session_id:
            raise SessionNotFound(session_id)
        with self._gate.attempt(handshake.origin.client_host):
            held = self._gate.passes.check(Kind.RESUME, attach.resume_token, session_id)
        voice = handshake.voice.for_tenant(held.tenant_id)
        session = await voice.get(session_id)
        if session.user_id != held.user_id:
            raise SessionNotFound(session_id)
        query.agree(session)
        return Opened(
            voice=voice, session=session, query=query, attach=attach, by=by or held.user_id
        )


def chosen_subprotocol(handshake: Handshake) -> str | None:
    """Return what to answer to the client's offer; never its token."""
    return SUBPROTOCOL if SUBPROTOCOL in handshake.subprotocols else None


def _words(vocabulary: str) -> Iterator[str]:
    return filter(None, (word.strip() for word in vocabulary.split(",")))
