"""Rooms that another server runs for our sessions: how a caller gets into one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from attrs import field, frozen

from ..core.instants import as_utc

__all__ = ("RoomService", "RoomTerms")


@frozen(kw_only=True)
class RoomTerms:
    """How long a room is open, and what its agent is told.

    Attributes:
        since: When the token begins to be good.
        until: When it no longer is, a whole second; an empty room waits for its caller as long.
        departure_grace: For how long the room waits once the caller has gone.
        agent: A JSON object for the agent that is called into the room, if one is.
    """

    since: datetime = field(converter=as_utc)
    until: datetime = field(converter=as_utc)
    departure_grace: timedelta
    agent: Mapping[str, Any] = field(factory=dict[str, Any], repr=False)


class RoomService(Protocol):
    """Lets callers into rooms. Shared by all sessions, long-lived; it holds nothing open."""

    @property
    def url(self) -> str:
        """Where clients connect."""
        ...

    @property
    def token_life(self) -> timedelta:
        """For how long a token opens the door of its room, and so for how long we wait."""
        ...

    def generate_access_token(
        self, room_name: str, identity: str, metadata: Mapping[str, Any], *, terms: RoomTerms
    ) -> str:
        """Return a token that lets *identity* into the room until ``terms.until``, exactly.

        Args:
            metadata: A JSON object that everybody in the room can read.
        """
        ...

    async def open_room(self, room_name: str, *, terms: RoomTerms) -> None:
        """Make the room before anybody comes, where rooms are made in advance.

        A room of that name that is there already is kept.

        Raises:
            ProviderError: The server refuses.
            ProviderUnavailable: It does not answer, or cannot now.
        """
        ...
