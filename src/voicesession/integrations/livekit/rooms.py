"""
How a caller gets into a room of LiveKit: by a token, and where wanted into one made in advance.

Protocol: https://docs.livekit.io/home/get-started/authentication/ and
https://docs.livekit.io/home/server/managing-rooms/.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from ..._loop import require_asyncio, shielded
from ...core.errors import ProviderBusy, ProviderError, ProviderUnavailable
from ...core.instants import to_us
from ...ports.rooms import RoomTerms
from .library import require_library
from .server import LiveKitServer

if TYPE_CHECKING:
    from livekit.protocol.agent_dispatch import RoomAgentDispatch

__all__ = ("LiveKitRooms",)

_PROVIDER: Final = "livekit"
_US_PER_S: Final = 1_000_000
_ANSWERS_WITHIN_US: Final = 10 * _US_PER_S


class LiveKitRooms:
    """A `RoomService` of one LiveKit server: ``voicesession.open(rooms=LiveKitRooms(server))``.

    It holds nothing open. Tokens are made anywhere; rooms are made in advance on asyncio
    only, because LiveKit's client runs there.

    Raises:
        InvalidConfig: The extra is not installed.
    """

    def __init__(self, server: LiveKitServer) -> None:
        require_library()
        self._server = server

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._server.url

    @property
    def token_life(self) -> timedelta:
        """For how long a token opens the door of its room."""
        return self._server.token_life

    def generate_access_token(
        self, room_name: str, identity: str, metadata: Mapping[str, Any], *, terms: RoomTerms
    ) -> str:
        """Return a JWT with which *identity* may join the room, speak and listen in it.

        The room that its first use makes is configured by it: how long it waits, and which
        agent is called. The token is good from ``terms.since`` until ``terms.until``.
        """
        import jwt
        from livekit.api import AccessToken, VideoGrants
        from livekit.protocol.room import RoomConfiguration

        server = self._server
        empty_s, departure_s = _waits_s(terms)
        token = (
            AccessToken(server.api_key, server.api_secret)
            .with_metadata(_json(metadata))
            .with_grants(VideoGrants(room_join=True, room=room_name))
            .with_room_config(
                RoomConfiguration(
                    name=room_name,
                    empty_timeout=empty_s,
                    departure_timeout=departure_s,
                    agents=self._agents(terms),
                )
            )
        )
        granted = cast("dict[str, Any]", token.claims.asdict())  # pyright: ignore[reportUnknownMemberType]
        # LiveKit's own `to_jwt` reads the clock; the token must say what the session says.
        claims = granted | {
            "iss": server.api_key,
            "sub": identity,
            "nbf": to_us(terms.since) // _US_PER_S,
            "exp": to_us(terms.until) // _US_PER_S,
        }
        return jwt.encode(claims, server.api_secret, algorithm="HS256")

    async def open_room(self, room_name: str, *, terms: RoomTerms) -> None:
        """Make the room where `LiveKitServer.api_url` is given; otherwise do nothing.

        Raises:
            ProviderBusy: The server takes no more calls for now.
            ProviderError: It refuses.
            ProviderUnavailable: It fails, or does not answer within 10 seconds.
            WrongEventLoop: The caller does not run on asyncio.
        """
        if self._server.api_url is None:
            return
        require_asyncio(type(self).__name__)
        import aiohttp
        from livekit.api import LiveKitAPI, ServerError
        from livekit.protocol.room import CreateRoomRequest

        empty_s, departure_s = _waits_s(terms)
        request = CreateRoomRequest(
            name=room_name,
            empty_timeout=empty_s,
            departure_timeout=departure_s,
            agents=self._agents(terms),
        )
        server = self._server
        try:
            async with (
                shielded(_ANSWERS_WITHIN_US),
                LiveKitAPI(server.api_url, server.api_key, server.api_secret) as api,
            ):
                await api.room.create_room(request)
        except ServerError as error:
            raise _refusal(error.status)(_PROVIDER, f"no room: {error.code}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderUnavailable(_PROVIDER, f"no room: {type(error).__name__}") from error

    def _agents(self, terms: RoomTerms) -> list[RoomAgentDispatch]:
        from livekit.protocol.agent_dispatch import RoomAgentDispatch

        if self._server.agent_name is None:
            return []
        return [RoomAgentDispatch(agent_name=self._server.agent_name, metadata=_json(terms.agent))]


def _refusal(status: int) -> type[ProviderError]:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ProviderBusy
    is_its_own_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return ProviderUnavailable if is_its_own_fault else ProviderError


def _waits_s(terms: RoomTerms) -> tuple[int, int]:
    """How long an empty room waits for its caller, and for one who has gone; whole seconds."""
    empty = terms.until - terms.since
    return math.ceil(empty.total_seconds()), math.ceil(terms.departure_grace.total_seconds())


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
