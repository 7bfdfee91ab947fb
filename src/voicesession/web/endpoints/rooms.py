"""``…/start``, ``…/token`` and LiveKit's webhook: sessions in rooms that LiveKit runs."""

from __future__ import annotations

from ...core.errors import AccessDenied
from ...runtime.rooms import RoomAccess
from ...schemas.refusals import NotFound
from ...schemas.requests import NewRoom, Nothing, Query
from ..access import user_meant, visible
from ..call import Answer, Call, json_answer
from ..key_hashes import check_key_hash
from ..principal import Unauthenticated

__all__ = ("start", "token", "webhook")


async def start(call: Call[Query, NewRoom]) -> Answer:
    """Return a new session in a room of its own, and what its caller needs to enter it."""
    _check_configured(call)
    await check_key_hash(call, None)
    user_id = user_meant(call, call.body.user_id, call.query.user_id)
    access = await call.voice.start(call.body.session_template_id, user_id=user_id)
    return _answer(access, status=201)


async def token(call: Call[Query, Nothing]) -> Answer:
    """Return a fresh token for the room of a session."""
    _check_configured(call)
    session = await visible(call)
    return _answer(await call.voice.rooms.refresh_token(session.id))


async def webhook(call: Call[Nothing, bytes]) -> Answer:
    """Take what LiveKit tells of its rooms; it is believed by its signature."""
    take = call.options.livekit_webhook
    if take is None:
        raise NotFound("no LiveKit server is connected here")
    try:
        await take(call.body, call.request.headers.get("authorization"))
    except AccessDenied as refusal:  # it is about who they are, not about what they may do
        raise Unauthenticated(str(refusal)) from None
    return json_answer({"status": "taken"})


def _check_configured(call: Call[Query, NewRoom] | Call[Query, Nothing]) -> None:
    if not call.voice.rooms.is_configured:
        raise NotFound("no LiveKit server is connected here")


def _answer(access: RoomAccess, *, status: int = 200) -> Answer:
    return json_answer(
        {
            "session_id": access.session.id,
            "room_name": access.room_name,
            "access_token": access.access_token,
            "livekit_url": access.livekit_url,
            "token_expiry": access.token_expiry.isoformat(),
        },
        status=status,
    )
