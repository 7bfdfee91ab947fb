"""What lets a WebSocket in."""

from __future__ import annotations

from pydantic import Field

from .parts import Told

__all__ = ("TicketAnswer",)


class TicketAnswer(Told):
    """A ticket, good for one connection to one session within half a minute."""

    ticket: str = Field(repr=False)
    websocket_url: str = Field(repr=False, description="Where to connect, with the ticket in it.")
    resume_token: str = Field(
        repr=False,
        description="For `attach`, where the session has begun and its client does not know.",
    )
