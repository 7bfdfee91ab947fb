"""Deepgram, on this machine."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from tests.providers.wire.deepgram import DeepgramServer


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Generator[DeepgramServer]:
    with DeepgramServer().running() as running:
        yield running
