"""ElevenLabs, on this machine."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from tests.providers.wire.elevenlabs import ElevenLabsServer


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Generator[ElevenLabsServer]:
    with ElevenLabsServer().running() as running:
        yield running
