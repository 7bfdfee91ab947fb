"""What lets a WebSocket in."""

from __future__ import annotations

from pydantic import BaseModel, Field

__all__ = ("TicketAnswer",)


class TicketAnswer(BaseModel):
    """A ticket, good for one session and half a minute."""

    ticket: str = Field(repr=False)
    websocket_url: str = Field(repr=False, description="Where to connect, with the ticket in it.")
