"""
What a LiveKit server tells by its webhooks, and what of it concerns our sessions.

Protocol: https://docs.livekit.io/home/server/webhooks/. The body is JSON, and the header
``Authorization`` a JWT, signed with the secret of the API key, that holds the body's hash.
LiveKit repeats an event until it is answered with a 2xx.

=========================  =====================================================
event                      what it means
=========================  =====================================================
``participant_joined``     the caller is there; agents and recorders are not callers
``participant_left``       the caller is gone, and may come back within the grace
``room_finished``          the session is over
``egress_ended``           the recording is where the event says
``room_started``, others   nothing
=========================  =====================================================
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from ...core.errors import AccessDenied, InvalidValue
from ...core.instants import from_us
from ...core.session import Session
from ...runtime.room_news import RoomNews
from .library import require_library
from .server import LiveKitServer

if TYPE_CHECKING:
    from livekit.protocol.models import ParticipantInfo
    from livekit.protocol.webhook import WebhookEvent

__all__ = ("CLOCKS_DIFFER_BY", "LiveKitWebhooks")

CLOCKS_DIFFER_BY: Final = timedelta(minutes=1)
"""How far LiveKit's clock and ours may be apart; LiveKit itself allows as much."""

_BEARER: Final = "bearer "
_US_PER_MS: Final = 1_000
_US_PER_S: Final = 1_000_000


class LiveKitWebhooks:
    """Takes the webhooks of one LiveKit server. Any worker may get any of them, in any order.

    Args:
        news: `SessionManager.room_news`.
        callers: Whether callers who come and go move their sessions. Not where an agent of
            yours attaches to every one of them: it is in the room, and says when audio flows.

    Raises:
        InvalidConfig: The extra is not installed.
    """

    def __init__(self, server: LiveKitServer, news: RoomNews, *, callers: bool = True) -> None:
        require_library()
        self._server = server
        self._news = news
        self._callers = callers

    async def receive(self, body: bytes, authorization: str | None) -> Session | None:
        """Take one event; return the session that it concerns, if there is one.

        Once it returns, what the event means is stored. After an error it is not, or may be:
        LiveKit tells it again, and that does no harm.

        Args:
            body: As it came, to the byte.
            authorization: The header; ``Bearer`` may stand before the token.

        Raises:
            AccessDenied: The event is not signed by this server, for this body, now.
            InvalidValue: It is signed, and is no event.
            StoreError: The store does not take it.
        """
        self._verify(body, authorization)
        event = _parsed(body)
        handle = {
            "participant_joined": self._joined,
            "participant_left": self._left,
            "room_finished": self._finished,
            "egress_ended": self._recorded,
        }.get(event.event)
        return None if handle is None else await handle(event)

    async def _joined(self, event: WebhookEvent) -> Session | None:
        if not self._callers or not _may_be_caller(event.participant):
            return None
        return await self._news.joined(
            event.room.name, event.participant.identity, joined_at=_joined_at(event)
        )

    async def _left(self, event: WebhookEvent) -> Session | None:
        participant = event.participant
        if not self._callers or not _may_be_caller(participant) or _has_moved(participant):
            return None
        return await self._news.left(
            event.room.name,
            participant.identity,
            joined_at=_joined_at(event),
            left_at=_created_at(event),
        )

    async def _finished(self, event: WebhookEvent) -> Session | None:
        if _goes_on_elsewhere(event):
            return None
        return await self._news.closed(event.room.name, closed_at=_created_at(event))

    async def _recorded(self, event: WebhookEvent) -> Session | None:
        from livekit.protocol.egress import EgressStatus

        egress = event.egress_info
        if not egress.file_results:  # streams and pictures are no recording
            return None
        is_whole = egress.status == EgressStatus.EGRESS_COMPLETE
        file = egress.file_results[0]
        # Without a location it was to stay on LiveKit's own disk; after a failure it did not.
        uri = file.location or (file.filename if is_whole else "")
        return await self._news.recorded(egress.room_name, uri=uri or None, is_whole=is_whole)

    def _verify(self, body: bytes, authorization: str | None) -> None:
        import jwt
        from livekit.api import TokenVerifier

        token = authorization or ""
        if token.lower().startswith(_BEARER):
            token = token[len(_BEARER) :]
        server = self._server
        verifier = TokenVerifier(server.api_key, server.api_secret, leeway=CLOCKS_DIFFER_BY)
        try:
            claimed = str(verifier.verify(token.strip()).sha256).encode()
        except jwt.InvalidTokenError as error:
            told = type(error).__name__
            raise AccessDenied(f"no webhook of this LiveKit server: {told}") from None
        if not hmac.compare_digest(claimed, base64.b64encode(hashlib.sha256(body).digest())):
            raise AccessDenied("no webhook of this LiveKit server: signed for another body")


def _parsed(body: bytes) -> WebhookEvent:
    from google.protobuf.json_format import Parse, ParseError
    from livekit.protocol.webhook import WebhookEvent

    try:
        event = Parse(body, WebhookEvent(), ignore_unknown_fields=True)
    except (ParseError, UnicodeDecodeError):
        event = WebhookEvent()
    if not event.event:
        raise InvalidValue("body", f"{len(body)} bytes", "a webhook event of LiveKit")
    return event


def _may_be_caller(participant: ParticipantInfo) -> bool:
    from livekit.protocol.models import ParticipantInfo

    return participant.kind not in (ParticipantInfo.Kind.AGENT, ParticipantInfo.Kind.EGRESS)


def _has_moved(participant: ParticipantInfo) -> bool:
    """Whether they are still there, on a newer connection or another node."""
    from livekit.protocol.models import DisconnectReason

    return participant.disconnect_reason in (
        DisconnectReason.DUPLICATE_IDENTITY,
        DisconnectReason.MIGRATION,
    )


def _goes_on_elsewhere(event: WebhookEvent) -> bool:
    from livekit.protocol.models import RoomEndReason

    return event.room_end_reason in (
        RoomEndReason.ROOM_END_SERVER_SHUTDOWN,
        RoomEndReason.ROOM_END_SUPERSEDED,
    )


def _joined_at(event: WebhookEvent) -> datetime:
    """When this connection was made: that names it among those of its participant."""
    participant = event.participant
    if participant.joined_at_ms:
        return from_us(participant.joined_at_ms * _US_PER_MS)
    return (
        from_us(participant.joined_at * _US_PER_S) if participant.joined_at else _created_at(event)
    )


def _created_at(event: WebhookEvent) -> datetime:
    return from_us(event.created_at * _US_PER_S)
