"""A server of LiveKit's, and a house whose sessions are in its rooms."""

from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime

import pytest
from tests.servers.livekit_server import KEY, SECRET, LiveKit

import voicesession
from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer, LiveKitWebhooks
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager


@pytest.fixture
def clock() -> SteppedClock:
    """Stands at the real time, by which LiveKit's own library looks at tokens."""
    return SteppedClock(datetime.now(UTC))  # noqa: TID251  # as above


@pytest.fixture
def livekit() -> Generator[LiveKit]:
    with LiveKit() as server:
        yield server


@pytest.fixture
def server(livekit: LiveKit) -> LiveKitServer:
    return LiveKitServer(
        url="wss://livekit.example",
        api_key=KEY,
        api_secret=SECRET,
        agent_name="nurse",
        api_url=livekit.url,
    )


@pytest.fixture
async def voice(server: LiveKitServer, clock: SteppedClock) -> AsyncGenerator[SessionManager]:
    rooms = LiveKitRooms(server)
    manager = voicesession.open(rooms=rooms, clock=clock, defaults={"store_audio": True})
    async with manager:
        await manager.templates.create(
            "Visit",
            template_id="tmpl_visit",
            enabled_panels=["notes"],
            agent_metadata={"persona": "nurse"},
        )
        yield manager


@pytest.fixture
def webhooks(server: LiveKitServer, voice: SessionManager) -> LiveKitWebhooks:
    return LiveKitWebhooks(server, voice.room_news)
