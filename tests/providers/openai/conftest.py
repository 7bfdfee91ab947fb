"""OpenAI, on this machine."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from tests.providers.wire.openai import OpenAIServer


@pytest.fixture
def server() -> Generator[OpenAIServer]:
    with OpenAIServer().running() as running:
        yield running
