"""A server and its clients."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.client.stage import House, open_house

from voicesession.client import VoiceClient


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs on asyncio."""
    return "asyncio"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House]:
    """A server of two tenants."""
    async with open_house(tmp_path) as house:
        yield house


@pytest.fixture
async def ada(house: House) -> AsyncGenerator[VoiceClient]:
    """A user of the tenant ``acme``."""
    async with house.client("ada") as client:
        yield client


@pytest.fixture
async def boss(house: House) -> AsyncGenerator[VoiceClient]:
    """An administrator of the tenant ``acme``."""
    async with house.client("boss") as client:
        yield client
