"""A session in a room that another server runs, on the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from .parts import Told

__all__ = ("RoomAnswer",)


class RoomAnswer(Told):
    """What a caller needs to enter the room of a session."""

    session_id: str
    room_name: str = Field(examples=["session_20261121_090000_1a2b3c"])
    access_token: str = Field(description="For one caller and one room; a secret.")
    livekit_url: str = Field(examples=["wss://acme.livekit.cloud"])
    token_expiry: datetime
