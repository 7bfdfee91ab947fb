"""What one connection may take, and how long it is waited for."""

from __future__ import annotations

from datetime import timedelta

from attrs import field, frozen

from ..rates import Rate

__all__ = ("SocketOptions",)


@frozen(kw_only=True)
class SocketOptions:
    """The bounds of a connection.

    Attributes:
        max_text_bytes: A longer text message closes the connection, 1009.
        max_audio_bytes: So does a longer piece of audio.
        rate: A client that sends more messages is read no faster than this.
        opening: How long it may take from the handshake to ``session.begin``.
        unsent_bytes: What may wait for a client that does not read; beyond it, 4408.
        lag: Where something has waited for so long, the client is warned.
        sent_within: A message that cannot be sent for so long closes the connection, 4408.
        unreported: How much sent speech may lack a ``playout``; what is older counts as played.
    """

    max_text_bytes: int = 64 * 1024
    max_audio_bytes: int = 1024 * 1024
    rate: Rate = field(factory=lambda: Rate(per_second=500, burst=1_000))
    opening: timedelta = timedelta(seconds=10)
    unsent_bytes: int = 1024 * 1024
    lag: timedelta = timedelta(seconds=3)
    sent_within: timedelta = timedelta(seconds=10)
    unreported: timedelta = timedelta(seconds=30)
