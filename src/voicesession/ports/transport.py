"""How the audio of a session gets to its caller and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

__all__ = ("Transport",)


class Transport(Protocol):
    """One caller's line: a telephone, a WebSocket with a protocol of its own, a pair of pipes.

    Implementations prove themselves by passing `voicesession.testing.TransportContract`. Whoever
    makes one closes it.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        """What the caller says, in pieces of any size, in the session's format.

        It ends when the caller has hung up, or the line is broken; that is no error.
        """
        ...

    async def send(self, pcm: bytes, /) -> None:
        """Let the caller hear *pcm*: s16le, mono, at the session's rate, when it is due.

        Returns once that is played, or as good as: what was taken counts as heard. So what waits
        in between is short, and who sends more waits.

        Raises:
            SessionNotActive: The caller has hung up.
        """
        ...

    def clear(self) -> None:
        """Forget what was sent and is not played yet, also where ``send`` still waits with it.

        The caller has interrupted. Never blocks.
        """
        ...
