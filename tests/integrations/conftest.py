"""A house for the sessions of other people's runtimes."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

import voicesession
from voicesession import SessionManager


@pytest.fixture
def anyio_backend() -> str:
    """All of them run on asyncio."""
    return "asyncio"


@pytest.fixture
async def voice(tmp_path: Path) -> AsyncGenerator[SessionManager]:
    """In memory, with recordings in a folder."""
    async with voicesession.open(recordings=tmp_path) as voice:
        yield voice
