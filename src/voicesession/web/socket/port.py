"""What a framework has to bring: a socket, and how it was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from ...runtime.manager import SessionManager
from ..forwarding import Origin
from ..principal import Principal

__all__ = ("Handshake", "Socket", "SocketClosed")


class SocketClosed(Exception):
    """The other end is gone. Nothing can be sent or received any more."""


class Socket(Protocol):
    """One WebSocket, framework and server apart.

    Whoever hands it to us has not accepted it yet, and closes nothing: that is done here. Pings
    are the server's business, as is compression, which should be off for audio.
    """

    async def accept(self, subprotocol: str | None, /) -> None:
        """Finish the handshake."""
        ...

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            SocketClosed: There is none any more.
        """
        ...

    async def send(self, message: str | bytes, /) -> None:
        """Send one message; it waits where the other end does not read.

        Raises:
            SocketClosed: Nobody is there.
        """
        ...

    async def close(self, code: int, reason: str, /) -> None:
        """Close it; harmless where the other end was faster."""
        ...


@frozen(kw_only=True)
class Handshake:
    """How a connection was asked for.

    Attributes:
        voice: The manager of any tenant.
        principal: Who asks, where the host's application knows; None: we find out.
        query: Name and value of each parameter, in order.
        headers: By their names in lower case.
        subprotocols: What the client offers, in its order.
        peer: The address at the other end of the connection.
    """

    voice: SessionManager
    principal: Principal | None = None
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    subprotocols: Sequence[str] = field(default=(), repr=False)
    origin: Origin = field(factory=Origin)
    peer: str | None = None
