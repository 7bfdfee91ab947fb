"""
LiveKit: sessions in its rooms. The extra ``livekit``.

>>> import voicesession
>>> from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer, LiveKitWebhooks
>>> server = LiveKitServer(url="wss://acme.livekit.cloud", api_key="APIkey", api_secret="…")
>>> voice = voicesession.open("sqlite:///voice.db", rooms=LiveKitRooms(server))
>>> webhooks = LiveKitWebhooks(server, voice.room_news)

`LiveKitRooms` lets callers into rooms: tokens, and rooms that are made in advance.
`LiveKitWebhooks` takes what the server tells of them afterwards.
"""

from __future__ import annotations

from .rooms import LiveKitRooms
from .server import LiveKitServer
from .webhooks import LiveKitWebhooks

__all__ = ("LiveKitRooms", "LiveKitServer", "LiveKitWebhooks")
