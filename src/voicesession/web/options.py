"""What a host may settle about its web face, all in one place."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeAlias

from attrs import field, frozen

from ..core.session import Session
from ..runtime.pipeline import SessionConfig
from .forwarding import Network, networks
from .rates import Rate
from .socket.options import SocketOptions

__all__ = ("ConfigMaker", "KeyHashCheck", "MetricsSource", "WebOptions", "WebhookTaker")

ConfigMaker: TypeAlias = Callable[[Session], SessionConfig]
"""Says how the conversation of one session is held: who may interrupt, when a turn is over, …"""

KeyHashCheck: TypeAlias = Callable[[str, str], Awaitable[bool]]
"""``verify_key_hash(namespace_id, key_hash)``: whether it is the hash of the namespace's key."""

WebhookTaker: TypeAlias = Callable[[bytes, str | None], Awaitable[object]]
"""Takes a body, as it came, and the header ``Authorization``; AccessDenied if it is not signed."""

MetricsSource: TypeAlias = Callable[[], bytes]
"""Returns the metrics of this process as Prometheus reads them; it is called in a thread."""

_SECRET_BYTES: Final = 32


def _some_secret() -> bytes:
    return os.urandom(_SECRET_BYTES)


@frozen(kw_only=True)
class WebOptions:
    """How calls are received; each has a default that is safe.

    Attributes:
        trusted_proxies: Addresses and networks whose ``X-Forwarded-…`` headers are believed.
        port: Of ``localhost`` in URLs, where a call does not say how it names us.
        max_body_bytes: A larger body is a 413.
        body_within: One that takes longer to come is a 408.
        sent_within: A stream of events, or a recording, is given up when its reader leaves no room
            for more of it for so long.
        rate: How often one caller may call; None is without limit.
        reveal_foreign: Answer 403, and not 404, for another user's session.
        verify_key_hash: Where it is set, each new session must name the hash of its
            namespace's key, and this must agree.
        livekit_webhook: Takes LiveKit's events, such as ``LiveKitWebhooks(…).receive``.
        metrics: What ``/metrics`` answers, to those with the scope admin; without it, a 404.
        heartbeat: A stream of events says something at least so often.
        look_again: How often a stream of events looks for new ones.
        signed_urls_for: How long a URL that a recording is fetched from holds.
        streams_for: A stream is ended after so long; a client comes back, and is asked again
            who it is.
        max_streams: So many streams of events may be open at once; the next one is a 429.
        max_streams_each: So many of them for one caller.
        config: Says how a conversation is held; without it, as `SessionConfig` has it.
        secret: Signs tickets and resume tokens: 32 random bytes or more, the same on every
            worker. Without one they are good for this process alone.
        socket: The bounds of a WebSocket.

    Raises:
        InvalidConfig: An address names no network.
    """

    trusted_proxies: tuple[Network, ...] = field(default=(), converter=networks)
    port: int = 8000
    max_body_bytes: int = 128 * 1024
    body_within: timedelta = timedelta(seconds=30)
    sent_within: timedelta = timedelta(minutes=2)
    rate: Rate | None = field(factory=Rate)
    reveal_foreign: bool = False
    verify_key_hash: KeyHashCheck | None = None
    livekit_webhook: WebhookTaker | None = None
    metrics: MetricsSource | None = None
    heartbeat: timedelta = timedelta(seconds=15)
    look_again: timedelta = timedelta(milliseconds=500)
    signed_urls_for: timedelta = timedelta(minutes=5)
    streams_for: timedelta = timedelta(hours=1)
    max_streams: int = 1_000
    max_streams_each: int = 100
    config: ConfigMaker | None = None
    secret: bytes = field(factory=_some_secret, repr=False)
    socket: SocketOptions = field(factory=SocketOptions)
