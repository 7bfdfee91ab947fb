"""
How a session begins in a room that another server runs: a name, a row, a token, a room.

In this order, so that whatever fails leaves nothing behind that goes on: the store alone
decides who has a name, and a session whose room cannot be made is ended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import anyio
from attrs import field, frozen

from ..core.errors import InvalidConfig, InvalidState, InvalidValue, StoreError, VoiceSessionError
from ..core.events import DetailsChanged, EndRequested
from ..core.identity import TenantId
from ..core.rooms import caller_of
from ..core.session import Session
from ..core.states import EndReason, SessionState
from ..ports.rooms import RoomService, RoomTerms
from .commands import Commands, over
from .home import at_home
from .registry import Registry
from .services import Services
from .worker import Worker

__all__ = ("RoomAccess", "Rooms")

_MOST_DRAWS: Final = 20
_TAKING_BACK_TAKES_AT_MOST_S: Final = 10.0


@frozen(kw_only=True)
class RoomAccess:
    """A session in a room, and what its caller needs to enter it.

    Attributes:
        access_token: For one identity and one room, until ``token_expiry``; a secret.
        livekit_url: Where the caller's client connects.
    """

    session: Session
    room_name: str
    access_token: str = field(repr=False)
    livekit_url: str
    token_expiry: datetime


@at_home
class Rooms:
    """`SessionManager.rooms`: the door to the rooms of one tenant.

    Both methods raise InvalidConfig where the manager was opened without ``rooms``.
    """

    def __init__(
        self,
        services: Services,
        worker: Worker,
        registry: Registry,
        commands: Commands,
        tenant_id: TenantId,
    ) -> None:
        self._services = services
        self._home = worker.home
        self._registry = registry
        self._commands = commands
        self._names = worker.room_names
        self._tenant_id = tenant_id

    @property
    def is_configured(self) -> bool:
        """Whether there is a server with rooms at all."""
        return self._services.rooms is not None

    async def start(self, session_template_id: str, *, user_id: str | None = None) -> RoomAccess:
        """Return a new session in a room of its own; see `SessionManager.start`."""
        service = self._service()
        parameters: dict[str, Any] = {"session_template_id": session_template_id}
        if user_id is not None:
            parameters["user_id"] = user_id
        for _ in range(_MOST_DRAWS):
            # The session begins in the second that its room's name tells: by that it is found.
            now = self._services.clock.now()
            room_name, until = self._names.draw(now), _expiry(now, service.token_life)
            room = {"room_name": room_name, "token_expiry": until}
            try:
                session = await self._registry.create(parameters | room, self._tenant_id, at=now)
            except InvalidValue as refusal:
                if refusal.field != "room_name":
                    raise
            else:
                return await self._opened(service, session, room_name, until)
        raise StoreError(f"{_MOST_DRAWS} names of rooms were drawn, and all were taken")

    async def refresh_token(self, session_id: str) -> RoomAccess:
        """Return a fresh token for the room of a session that goes on.

        One that still waits for its caller waits as long as the new token is good.

        Raises:
            InvalidState: The session has no room.
            SessionExpired: Its time is over.
            SessionNotActive: It has ended.
            SessionNotFound: There is none of this id for this tenant.
        """
        service = self._service()
        session = await self._commands.load(session_id)
        if session.state is SessionState.ENDED:
            raise over(session)
        if (room_name := session.room_name) is None:
            raise InvalidState(f"{session.state} without a room", "refresh_token", ("end",))
        now = self._services.clock.now()
        until = _expiry(now, service.token_life)
        changed = DetailsChanged(at=now, fields=("token_expiry",))
        session = await self._commands.apply(session_id, changed, token_expiry=until)
        return self._access(service, session, room_name, self._terms(session, until))

    # --- inside --------------------------------------------------------------------------------

    def _service(self) -> RoomService:
        if self._services.rooms is None:
            raise InvalidConfig("rooms", None, "a room service, given to `voicesession.open`")
        return self._services.rooms

    async def _opened(
        self, service: RoomService, session: Session, room_name: str, until: datetime
    ) -> RoomAccess:
        try:
            terms = self._terms(session, until)
            access = self._access(service, session, room_name, terms)
            await service.open_room(room_name, terms=terms)
        except BaseException as error:
            await self._take_back(session, error)
            raise
        return access

    async def _take_back(self, session: Session, error: BaseException) -> None:
        told = error.code if isinstance(error, VoiceSessionError) else type(error).__name__
        ended = EndRequested(
            at=self._services.clock.now(), reason=EndReason.ERROR, error=f"no room: {told}"
        )
        with anyio.move_on_after(_TAKING_BACK_TAKES_AT_MOST_S, shield=True):
            await self._registry.end(await self._registry.load(session.id), ended)

    def _terms(self, session: Session, until: datetime) -> RoomTerms:
        return RoomTerms(
            since=self._services.clock.now(),
            until=until,
            departure_grace=self._services.life.reconnect_grace,
            agent=_told_to_all(session) | {"agent_metadata": session.metadata},
        )

    def _access(
        self, service: RoomService, session: Session, room_name: str, terms: RoomTerms
    ) -> RoomAccess:
        return RoomAccess(
            session=session,
            room_name=room_name,
            access_token=service.generate_access_token(
                room_name, caller_of(session), _told_to_all(session), terms=terms
            ),
            livekit_url=service.url,
            token_expiry=terms.until,
        )


def _told_to_all(session: Session) -> dict[str, Any]:
    panels = session.enabled_panels
    return {
        "session_id": session.id,
        "session_template_id": session.session_template_id,
        "user_id": session.user_id,
        "modality_profile": session.modality_profile,
        "enabled_panels": None if panels is None else list(panels),
    }


def _expiry(now: datetime, life: timedelta) -> datetime:
    # Tokens know whole seconds only, and the row says the same as the token.
    return (now + life).replace(microsecond=0)
